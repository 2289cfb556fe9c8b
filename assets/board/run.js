/**
 * What this page knows of one run: its state, its scalars, and the frames that fit in memory.
 *
 * @import { Bilingual, Patch, RunMessage, RunStatus } from "./schema.d.ts"
 */

import { History } from "./history.js";

const ENDED = new Set(["done", "stopped", "failed", "recorded"]);
const FRAME_BYTES = 64 << 20; // bytes of frames kept in memory
const STATE_FIELDS = /** @type {const} */ ([
  "status",
  "total",
  "rate",
  "place",
  "viewers",
  "checkpoints",
  "error",
  "note",
  "device",
  "params",
  "origin",
]);

/** @typedef {{ step: number, patches: Patch[], bytes: number }} Frame */

let lastSerial = 0;

export class Run {
  /**
   * @param {string} id
   * @param {boolean} [beside] whether only its scalars are drawn, beside another run
   */
  constructor(id, beside = false) {
    this.id = id;
    this.beside = beside;
    /** @type {[string, number] | null} The run that it is a fork of, and from which step on. */
    this.origin = null;
    this.serial = ++lastSerial;
    /** How often it was set back. */
    this.rewinds = 0;
    this.history = new History();
    /** @type {RunStatus | ""} */
    this.status = "";
    this.total = 0;
    /** @type {number | null} Steps a second. */
    this.rate = null;
    /** @type {number | null} Its place in the queue. */
    this.place = null;
    this.viewers = 0;
    /** @type {number[]} Steps that it can be forked from, ascending. */
    this.checkpoints = [];
    /** @type {Bilingual | null | undefined} */
    this.error = undefined;
    /** @type {Bilingual | null | undefined} */
    this.note = undefined;
    /** @type {string | undefined} */
    this.device = undefined;
    /** @type {Record<string, any> | undefined} */
    this.params = undefined;
    /** @type {number[]} Steps that the server has frames of, ascending. */
    this.frameSteps = [];
    /** @type {Map<number, Frame>} The frames in memory, least recently used first. */
    this.frames = new Map();
    this.bytes = 0;
    /** @type {Map<number, number>} Steps whose fetch failed, and when. */
    this.missing = new Map();
    /** Whether the server has told its state. */
    this.known = false;
    /** When its status changed last. */
    this.statusSince = performance.now();
  }

  get ended() {
    return ENDED.has(this.status);
  }

  /** The last step there is, or -1. */
  get head() {
    return this.history.last;
  }

  /** Another one after each rewind, and for each run. */
  get version() {
    return `${this.serial} ${this.rewinds}`;
  }

  /**
   * Takes the state that the server tells; fields that are missing stay.
   *
   * @param {RunMessage} message
   */
  update(message) {
    this.known = true;
    if (message.status !== this.status) this.statusSince = performance.now();
    for (const field of STATE_FIELDS) {
      if (message[field] !== undefined) Object.assign(this, { [field]: message[field] });
    }
    if (message.frames) this.frameSteps = message.frames;
  }

  /**
   * The last step at or before `step` that can be forked, or -1.
   *
   * @param {number} step
   */
  checkpoint(step) {
    return lastUpTo(this.checkpoints, step);
  }

  /**
   * Step of the last frame at or before `step`, in memory or at the server, or -1.
   *
   * @param {number} step
   */
  frameStep(step) {
    return Math.max(this.cachedStep(step), lastUpTo(this.frameSteps, step));
  }

  /**
   * Step of the last frame in memory at or before `step`, or -1.
   *
   * @param {number} step
   */
  cachedStep(step) {
    return lastUpTo(this.frames.keys(), step);
  }

  /**
   * Keeps a frame in memory; the least recently used ones go where there is no room.
   *
   * @param {number} step
   * @param {Patch[]} patches
   * @param {number} bytes
   */
  addFrame(step, patches, bytes) {
    this.dropFrame(step);
    this.frames.set(step, { step, patches, bytes });
    this.bytes += bytes;
    for (const oldest of this.frames.keys()) {
      if (this.bytes <= FRAME_BYTES || this.frames.size === 1 || oldest === step) break;
      this.dropFrame(oldest);
    }
  }

  /** @param {number} step */
  dropFrame(step) {
    const frame = this.frames.get(step);
    if (frame) {
      this.bytes -= frame.bytes;
      this.frames.delete(step);
    }
  }

  /**
   * The frame of exactly that step from memory, where it is used again now.
   *
   * @param {number} step
   */
  frame(step) {
    const frame = this.frames.get(step);
    if (frame) {
      this.frames.delete(step);
      this.frames.set(step, frame);
    }
    return frame;
  }

  /**
   * Forgets everything after `step`.
   *
   * @param {number} step
   */
  rewind(step) {
    this.history.truncate(step);
    this.rewinds++;
    this.frameSteps = this.frameSteps.filter((other) => other <= step);
    this.checkpoints = this.checkpoints.filter((other) => other <= step);
    for (const later of [...this.frames.keys()].filter((other) => other > step)) this.dropFrame(later);
  }
}

/**
 * The largest of these steps that is at most `limit`, or -1.
 *
 * @param {Iterable<number>} steps
 * @param {number} limit
 */
function lastUpTo(steps, limit) {
  let last = -1;
  for (const step of steps) if (step <= limit && step > last) last = step;
  return last;
}
