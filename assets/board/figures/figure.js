/**
 * One figure: heading, body of a fixed height, reading, caption. The kinds of figure fill the body.
 *
 * @import { Moment } from "../moment.js"
 * @import { Patch } from "../schema.d.ts"
 * @import { FigureSpec, Settings, TileInFocus } from "../types.d.ts"
 * @import { Host } from "./host.d.ts"
 */

import { deepEqual } from "../arrays.js";
import { el, setText } from "../dom.js";
import { reading } from "../readings.js";

/** @template {FigureSpec} [Spec=FigureSpec] */
export class Figure {
  /**
   * The constructor of a kind makes its elements; `respec` must be called after it.
   *
   * @param {Host} host
   * @param {Spec} spec
   */
  constructor(host, spec) {
    this.host = host;
    this.spec = spec;
    /** The spec as JSON. */
    this.specText = "";
    /** Whether there is something new to draw. */
    this.dirty = true;
    /** Whether a drawing is under way. */
    this.busy = false;
    /** Whether it is about to be seen: worth a first drawing. */
    this.near = false;
    /** Whether it is seen: drawn as often as it changes. */
    this.visible = false;
    this.drawnAt = -1e9;
    /** How often it was drawn. */
    this.drawn = 0;
    /** @type {Record<string, any>} Numbers and words that patches bring for the reading. */
    this.say = {};
    /** @type {Patch[]} Patches of the frame at the playhead. */
    this.framePatches = [];
    /** @type {Map<string, Patch[]>} Patches of answers by the key of their question. */
    this.answers = new Map();
    /** @type {Record<string, any>} What all patches said together when that was last something new. */
    this.shownData = {};
    /** @type {Moment | null} */
    this.moment = null;
    /** @type {string | null} */
    this.drawnSignature = null;
    this.readingText = "";
    this.element = el("figure", "tr-figure");
    this.title = el("h3", "tr-title");
    this.tools = el("div", "tr-tools");
    this.body = el("div", "tr-body tr-waiting");
    this.words = el("p", "tr-reading");
    this.caption = el("figcaption", "tr-caption");
    this.fault = el("p", "tr-fault");
    this.element.append(el("div", "tr-head", {}, this.title, this.tools), this.body, this.words, this.caption);
  }

  /**
   * Takes a new spec of the same kind; the elements stay.
   *
   * @param {Spec} spec
   */
  respec(spec) {
    this.spec = spec;
    this.specText = JSON.stringify(spec);
    const { dataset } = this.element;
    dataset.figure = spec.id;
    dataset.kind = spec.kind;
    dataset.size = spec.size;
    dataset.picks = spec.picks ? ("sets" in spec.picks ? "choose" : "ask") : "";
    this.element.setAttribute("aria-label", spec.alt || spec.title || spec.id);
    setText(this.title, spec.title || "");
    setText(this.caption, spec.caption || "");
    this.caption.hidden = !spec.caption;
    this.words.hidden = !spec.reading;
    this.changed();
  }

  /** The spec or the theme is another: what was derived from it is stale. */
  changed() {
    this.drawnSignature = null;
    this.dirty = true;
  }

  /** Has the figure drawn again. */
  redraw() {
    this.dirty = true;
    this.host.schedule();
  }

  /**
   * Takes the moment to show; whether anything has to be drawn for it is found out here.
   *
   * @param {Moment} moment
   * @param {Patch[]} patches of all figures
   */
  show(moment, patches) {
    const own = patches.filter((patch) => patch.figure === this.spec.id);
    if (own.length !== this.framePatches.length || own.some((patch, i) => patch !== this.framePatches[i])) {
      this.take(own);
    }
    this.moment = moment;
    const signature = this.signature(moment);
    if (signature !== this.drawnSignature) {
      this.drawnSignature = signature;
      this.dirty = true;
    }
  }

  /**
   * What the drawing depends on besides patches.
   *
   * @param {Moment} _moment
   */
  signature(_moment) {
    return "";
  }

  /** @param {Patch[]} patches of a frame, for this figure */
  take(patches) {
    this.framePatches = patches;
    this.updateData();
  }

  /**
   * @param {string} key of the question
   * @param {Patch[]} patches
   */
  answer(key, patches) {
    this.answers.set(key, patches);
    this.updateData();
  }

  /** @param {string} key of a question that nobody asks any more */
  dropAnswer(key) {
    if (this.answers.delete(key)) this.patched();
  }

  /** The same again need not be drawn again. */
  updateData() {
    if (!deepEqual(this.shownData, this.dataByTrace())) this.patched();
  }

  /** What patches say is something new. */
  patched() {
    this.shownData = this.dataByTrace();
    this.say = {};
    for (const patch of this.patches()) Object.assign(this.say, patch.data.say);
    this.dirty = true;
    this.host.reread();
  }

  /** All patches in force: the answer to what was asked last lies over the others. */
  patches() {
    const answers = this.host.queries.keys().map((key) => this.answers.get(key) ?? []);
    return [...this.framePatches, ...answers.flat()];
  }

  /** What all patches say together, by trace. */
  dataByTrace() {
    /** @type {Record<string, any>} */
    const byTrace = {};
    for (const { trace, data } of this.patches()) byTrace[trace] = { ...byTrace[trace], ...data };
    return byTrace;
  }

  /**
   * The patches of a figure without traces as one object.
   *
   * @returns {Record<string, any>}
   */
  get data() {
    return Object.assign({}, ...this.patches().map((patch) => patch.data));
  }

  /**
   * Draws; an error is this figure's own. Returns false when it has to be tried again later.
   *
   * @param {number} now in ms
   */
  render(now) {
    try {
      if (this.draw() === false) return false;
      this.element.dataset.drawn = String(++this.drawn);
      this.body.classList.remove("tr-waiting");
      this.fault.remove();
    } catch (error) {
      this.showFault(error);
    }
    this.dirty = false;
    this.drawnAt = now;
    return true;
  }

  /**
   * Draws the figure as it stands; false where it cannot be drawn yet.
   *
   * @returns {boolean}
   */
  draw() {
    return true;
  }

  /** @param {any} error */
  showFault(error) {
    console.error(`figure ${this.spec.id}:`, error);
    this.body.classList.remove("tr-waiting");
    setText(this.fault, `${this.spec.title || this.spec.id}: ${error.message || error}`);
    if (!this.fault.isConnected) this.body.append(this.fault);
  }

  /**
   * In how many ms it may be drawn again.
   *
   * @param {number} _now in ms
   */
  dueIn(_now) {
    return 0;
  }

  /** Writes the reading. */
  read() {
    if (!this.spec.reading || !this.moment) return;
    const text = reading(this.spec.reading, this.moment, this.host.names, this.say);
    if (text !== this.readingText) setText(this.words, (this.readingText = text));
  }

  /**
   * A gesture happened: asks or chooses what the spec says.
   *
   * @param {Record<string, unknown>} event its fields, as the spec may name them
   */
  gesture(event) {
    const { picks } = this.spec;
    if (!picks) return;
    /** @type {Settings} */
    const values = {};
    for (const [name, field] of Object.entries("sets" in picks ? picks.sets : picks.args)) {
      if (event[field] !== undefined) values[name] = event[field];
    }
    if (!("sets" in picks)) this.host.queries.askFrom(picks.name, values, picks.follow !== false);
    else if (Object.keys(values).length) this.host.choose(values);
  }

  /**
   * What another figure shows in full instead of a tile of its own, or null.
   *
   * @returns {TileInFocus | null}
   */
  tileInFocus() {
    return null;
  }

  /** The figure whose tile this one shows in full has another one to show. */
  focusMoved() {
    this.dirty = true;
  }

  resized() {
    this.dirty = true;
  }

  remove() {
    this.element.remove();
  }
}
