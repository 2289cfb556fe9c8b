/** Fetching of frames that are not in memory. */

import { decode, resolved } from "./wire.js";

/** Fetches frames that were let go or never came: one at a time, and always the one wanted last. */
export class Fetcher {
  constructor(board) {
    this.board = board;
    this.wanted = null;
    this.busy = false;
    this.count = 0;
  }

  want(run, step) {
    this.wanted = { run, step };
    if (!this.busy) this.next();
  }

  async next() {
    this.busy = true;
    while (this.wanted) {
      const { run, step } = this.wanted;
      this.wanted = null;
      if (run.frames.has(step) || performance.now() - (run.missing.get(step) ?? -1e9) < 3000) continue;
      try {
        this.count++;
        const answer = await fetch(this.board.url(`frame/${encodeURIComponent(run.id)}/${step}`));
        if (!answer.ok) throw new Error(String(answer.status));
        const buffer = await answer.arrayBuffer();
        const { header, arrays } = decode(buffer);
        run.keep(header.step, resolved(header.patches, arrays), buffer.byteLength);
        if (header.step !== step) run.listed = run.listed.filter((one) => one !== step);
      } catch {
        run.missing.set(step, performance.now()); // the nearest frame there is stays
      }
      this.board.moved = true;
      this.board.schedule();
    }
    this.busy = false;
  }
}
