/** What the page knows of one run. */

import { History } from "./history.js";

const ENDED = new Set(["done", "stopped", "failed", "recorded"]);

const CACHE = 64 << 20; // bytes of frames kept

let serial = 0;

/** What this page knows of one run: its state, its scalars, and the frames that fit in memory. */
export class Run {
  constructor(id, aside = false) {
    this.id = id;
    this.aside = aside; // only drawn beside another
    this.origin = null; // [run, step] that it is a fork of
    this.serial = ++serial;
    this.cuts = 0;
    this.history = new History();
    this.status = "";
    this.total = 0;
    this.rate = null;
    this.place = null;
    this.viewers = 0;
    this.snapshots = [];
    this.listed = []; // steps that the server has frames of, ascending
    this.frames = new Map(); // step -> {step, patches, bytes}, least recently used first
    this.bytes = 0;
    this.missing = new Map(); // step -> when a fetch of it failed
    this.heard = false;
    this.since = performance.now(); // when its status was another last
  }

  get ended() {
    return ENDED.has(this.status);
  }

  get head() {
    return this.history.last;
  }

  /** The last step at or before `step` that can be forked, or -1. */
  mark(step) {
    return this.snapshots.reduce((found, one) => (one <= step && one > found ? one : found), -1);
  }

  /** Step of the last frame at or before `step`, or -1. */
  frameStep(step) {
    let found = this.cachedStep(step);
    for (const one of this.listed) if (one <= step && one > found) found = one;
    return found;
  }

  cachedStep(step) {
    let found = -1;
    for (const one of this.frames.keys()) if (one <= step && one > found) found = one;
    return found;
  }

  keep(step, patches, bytes) {
    this.drop(step);
    this.frames.set(step, { step, patches, bytes });
    this.bytes += bytes;
    for (const old of this.frames.keys()) {
      if (this.bytes <= CACHE || this.frames.size === 1 || old === step) break;
      this.drop(old);
    }
  }

  drop(step) {
    const old = this.frames.get(step);
    if (old) {
      this.bytes -= old.bytes;
      this.frames.delete(step);
    }
  }

  frame(step) {
    const found = this.frames.get(step);
    if (found) {
      this.frames.delete(step);
      this.frames.set(step, found);
    }
    return found;
  }

  rewind(step) {
    this.history.cut(step);
    this.cuts++;
    this.listed = this.listed.filter((one) => one <= step);
    this.snapshots = this.snapshots.filter((one) => one <= step);
    for (const one of [...this.frames.keys()]) if (one > step) this.drop(one);
  }
}
