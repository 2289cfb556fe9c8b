/** What all figures have in common. */

import { alike } from "../arrays.js";
import { make, write } from "../dom.js";
import { reading } from "../readings.js";

/** One figure: heading, body of a fixed height, reading, caption. The seven kinds fill the body. */
export class Figure {
  constructor(board, spec) {
    this.board = board;
    this.dirty = true;
    this.near = false; // about to be seen: worth a first drawing
    this.visible = false; // seen: drawn as often as it changes
    this.drawnAt = -1e9;
    this.drawn = 0;
    this.say = {};
    this.frame = []; // patches of the frame at the playhead
    this.answers = new Map(); // question's key -> patches
    this.shownData = {}; // what they said together when they last said something new
    this.said = "";
    this.element = make("figure", "tr-figure");
    this.title = make("h3", "tr-title");
    this.tools = make("div", "tr-tools");
    this.body = make("div", "tr-body tr-waiting");
    this.words = make("p", "tr-reading");
    this.caption = make("figcaption", "tr-caption");
    this.fault = make("p", "tr-fault");
    this.element.append(make("div", "tr-head", {}, this.title, this.tools), this.body, this.words, this.caption);
    this.spec = spec;
    this.setup();
    this.respec(spec);
  }

  setup() {}

  /** Takes a new spec of the same kind; the nodes stay. */
  respec(spec) {
    this.spec = spec;
    this.text = JSON.stringify(spec);
    this.element.dataset.figure = spec.id;
    this.element.dataset.kind = spec.kind;
    this.element.dataset.size = spec.size;
    this.element.dataset.picks = spec.picks ? ("sets" in spec.picks ? "choose" : "ask") : "";
    this.element.setAttribute("aria-label", spec.alt || spec.title || spec.id);
    write(this.title, spec.title || "");
    write(this.caption, spec.caption || "");
    this.caption.hidden = !spec.caption;
    this.words.hidden = !spec.reading;
    this.changed();
  }

  /** The spec or the theme is another: what was derived from it is stale. */
  changed() {
    this.signature = null;
    this.dirty = true;
  }

  /** Takes the moment to show; whether anything has to be drawn for it is found out here. */
  show(past, frame) {
    const mine = frame.filter((patch) => patch.figure === this.spec.id);
    if (mine.length || this.frame.length) {
      if (mine.length !== this.frame.length || mine.some((patch, i) => patch !== this.frame[i])) this.take(mine);
    }
    this.past = past;
    const signature = this.sign(past);
    if (signature !== this.signature) {
      this.signature = signature;
      this.dirty = true;
    }
  }

  /** What the drawing depends on besides patches. */
  sign() {
    return "";
  }

  take(patches) {
    this.frame = patches;
    if (!alike(this.shownData, this.told)) this.patched();
  }

  answer(key, patches) {
    this.answers.set(key, patches);
    if (!alike(this.shownData, this.told)) this.patched();
  }

  patched() {
    this.shownData = this.told;
    this.say = {};
    for (const patch of this.patches()) Object.assign(this.say, patch.data.say);
    this.dirty = true;
    this.board.readAgain = true;
  }

  /** All patches in force: the answer to what was asked last lies over the others. */
  patches() {
    const answers = [...this.board.asks.standing.keys()].map((key) => this.answers.get(key) ?? []);
    return [...this.frame, ...answers.flat()];
  }

  /** What all patches say together, by trace: the same again need not be drawn again. */
  get told() {
    const told = {};
    for (const { trace, data } of this.patches()) told[trace] = { ...told[trace], ...data };
    return told;
  }

  /** The patches of a figure without traces as one object. */
  get data() {
    return Object.assign({}, ...this.patches().map((patch) => patch.data));
  }

  /** Draws; an error is this figure's own. False when it has to be tried again later. */
  render(now) {
    try {
      if (this.draw() === false) return false;
      this.element.dataset.drawn = ++this.drawn;
      this.body.classList.remove("tr-waiting");
      this.fault.remove();
    } catch (error) {
      this.broken(error);
    }
    this.dirty = false;
    this.drawnAt = now;
    return true;
  }

  broken(error) {
    console.error(`figure ${this.spec.id}:`, error);
    this.body.classList.remove("tr-waiting");
    write(this.fault, `${this.spec.title || this.spec.id}: ${error.message || error}`);
    if (!this.fault.isConnected) this.body.append(this.fault);
  }

  /** Ready to be drawn now? Plots are not, too soon after the last time. */
  due() {
    return 0;
  }

  read() {
    if (!this.spec.reading || !this.past) return;
    const text = reading(this.spec.reading, this.past, this.board.spec.names || {}, this.say);
    if (text !== this.said) write(this.words, (this.said = text));
  }

  /** A gesture happened: asks or sets what the spec says. */
  pick(event) {
    const picks = this.spec.picks;
    if (!picks) return;
    const wanted = {};
    for (const [field, source] of Object.entries("sets" in picks ? picks.sets : picks.args)) {
      if (event[source] !== undefined) wanted[field] = event[source];
    }
    if ("sets" in picks) {
      if (Object.keys(wanted).length) this.board.choose(wanted);
    } else {
      this.board.asks.picked(picks.name, wanted, picks.follow !== false);
    }
  }

  resized() {
    this.dirty = true;
  }

  remove() {
    this.element.remove();
  }
}
