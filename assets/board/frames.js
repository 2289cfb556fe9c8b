/**
 * Frames that are not in memory: fetched one at a time, and always the one wanted last.
 *
 * @import { Run } from "./run.js"
 */

import { liveUrl } from "./addresses.js";
import { decode, resolveArrays } from "./wire.js";

const RETRY = 3000; // ms after which a frame that could not be had is asked for again

export class FrameLoader {
  /** @param {() => void} loaded is told of each frame that came, and of each that did not */
  constructor(loaded) {
    this.loaded = loaded;
    /** @type {{ run: Run, step: number } | null} */
    this.wanted = null;
    this.busy = false;
    /** How many frames were fetched. */
    this.count = 0;
  }

  /**
   * @param {Run} run
   * @param {number} step
   */
  want(run, step) {
    this.wanted = { run, step };
    if (!this.busy) this.load();
  }

  async load() {
    this.busy = true;
    while (this.wanted) {
      const { run, step } = this.wanted;
      this.wanted = null;
      if (run.frames.has(step) || performance.now() - (run.missing.get(step) ?? -1e9) < RETRY) continue;
      try {
        await this.fetch(run, step);
      } catch {
        run.missing.set(step, performance.now()); // the nearest frame there is stays
      }
      this.loaded();
    }
    this.busy = false;
  }

  /**
   * @param {Run} run
   * @param {number} step
   */
  async fetch(run, step) {
    this.count++;
    const response = await fetch(liveUrl(`frame/${encodeURIComponent(run.id)}/${step}`));
    if (!response.ok) throw new Error(String(response.status));
    const buffer = await response.arrayBuffer();
    const { header, arrays } = decode(buffer);
    run.addFrame(header.step, resolveArrays(header.patches, arrays), buffer.byteLength);
    if (header.step !== step) run.frameSteps = run.frameSteps.filter((other) => other !== step);
  }
}
