/**
 * The spec of a board, fetched when the page names another one.
 *
 * @import { BoardSpec } from "./types.d.ts"
 */

import { resolveUrl } from "./addresses.js";

const RETRY = 2000; // ms after which a spec that did not load is asked for again

export class SpecLoader {
  /** @param {(spec: BoardSpec) => void} use */
  constructor(use) {
    this.use = use;
    /** @type {string | undefined} What the page asked for last. */
    this.wanted = undefined;
    /** @type {string | null} Where the spec in force, or on its way, came from. */
    this.path = null;
    /** Whether the spec in force is the one that was asked for last. */
    this.loaded = false;
    this.stopped = false;
  }

  /** @param {string | undefined} path */
  async load(path) {
    this.wanted = path;
    if (!path || path === this.path) return;
    this.path = path;
    this.loaded = false;
    try {
      const response = await fetch(resolveUrl(path));
      if (!response.ok) throw new Error(`${path}: ${response.status}`);
      const spec = await response.json();
      if (path !== this.path) return;
      this.use(spec);
      this.loaded = true;
    } catch (error) {
      if (path !== this.path) return;
      console.error("spec:", error);
      this.path = null; // asked for again at the next rerun, or in a moment
      setTimeout(() => !this.stopped && this.load(this.wanted), RETRY);
    }
  }

  stop() {
    this.stopped = true;
  }
}
