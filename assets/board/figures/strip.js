/**
 * A row of images, each with a caption, a mark and bars.
 *
 * @import { StripSpec } from "../schema.d.ts"
 * @import { WireArray } from "../types.d.ts"
 * @import { Host } from "./host.d.ts"
 */

import { flat, isArray, sameValues } from "../arrays.js";
import { context2d, el, setAttr, setText } from "../dom.js";
import { clamp, number } from "../numbers.js";
import { Figure } from "./figure.js";

const BARS = 3; // the largest probabilities are shown
const BAR_HEIGHT = 13; // px
const CAPTION_HEIGHT = 18; // px

/** @extends {Figure<StripSpec>} */
export class StripFigure extends Figure {
  /**
   * @param {Host} host
   * @param {StripSpec} spec
   */
  constructor(host, spec) {
    super(host, spec);
    this.row = el("div", "tr-strip", { role: "group" });
    this.empty = el("p", "tr-empty");
    this.body.append(this.row, this.empty);
    /** @type {StripItem[]} */
    this.items = [];
    /** The image that was picked last, or -1. */
    this.picked = -1;
  }

  /** @param {number} index */
  addItem(index) {
    const item = new StripItem();
    item.element.addEventListener("click", () => {
      if (!this.spec.picks) return;
      this.picked = index;
      this.redraw();
      const given = flat(this.data.index);
      this.gesture({ index: given.length ? Number(given[index]) : index });
    });
    item.element.addEventListener("keydown", (event) => {
      const move = event.key === "ArrowLeft" ? -1 : event.key === "ArrowRight" ? 1 : 0;
      if (!move) return;
      event.preventDefault();
      event.stopPropagation();
      this.items[clamp(index + move, 0, this.items.length - 1)].element.focus();
    });
    this.row.append(item.element);
    this.items.push(item);
  }

  /** @param {number} label index of a class */
  className(label) {
    return this.spec.classes[label] ?? String(label);
  }

  draw() {
    const { images, label, guess, probabilities } = this.data;
    const n = isArray(images) ? images.shape[0] : 0;
    setText(this.empty, isArray(images) ? "" : this.host.say("no_data"));
    for (const item of this.items.splice(n)) item.element.remove();
    while (this.items.length < n) this.addItem(this.items.length);
    const [labels, guesses] = [flat(label), flat(guess)];
    const width = isArray(probabilities) ? (probabilities.shape.at(-1) ?? 0) : 0;
    const captions = guesses.length || labels.length ? CAPTION_HEIGHT : 0;
    const height = this.spec.height - (width ? BARS * BAR_HEIGHT : 0) - captions - 14;
    this.items.forEach((item, i) => {
      item.paint(images, i, height);
      const truth = Number(labels[i] ?? -1);
      const guessed = guesses[i] === undefined ? null : Number(guesses[i]);
      this.describe(item, i, truth, guessed);
      const row = width ? probabilities.values.subarray(i * width, (i + 1) * width) : [];
      this.drawBars(item, row, truth);
    });
    return true;
  }

  /**
   * Caption and mark of an image.
   *
   * @param {StripItem} item
   * @param {number} index
   * @param {number} truth index of its class; -1: not known
   * @param {number | null} guessed
   */
  describe({ element, text }, index, truth, guessed) {
    const judged = truth >= 0 && guessed !== null;
    const right = judged && truth === guessed;
    element.dataset.mark = judged ? (right ? "right" : "wrong") : "";
    const name = guessed !== null ? this.className(guessed) : truth >= 0 ? this.className(truth) : "";
    const full = judged && !right ? `${this.className(truth)} → ${name}` : name;
    const marked = judged ? `${right ? "✓" : "✗"} ${full}` : full;
    setText(text, marked);
    setAttr(element, "title", full);
    setAttr(element, "aria-label", marked || `#${index}`);
    element.classList.toggle("tr-picked", this.picked === index);
  }

  /**
   * The largest probabilities as bars.
   *
   * @param {StripItem} item
   * @param {ArrayLike<number>} probabilities of each class
   * @param {number} truth
   */
  drawBars({ bars }, probabilities, truth) {
    const order = Array.from(probabilities, (_, k) => k).sort((a, b) => probabilities[b] - probabilities[a]);
    bars.forEach(({ row, fill, text }, rank) => {
      row.hidden = rank >= order.length;
      if (row.hidden) return;
      const label = order[rank];
      const value = probabilities[label];
      fill.style.width = `${clamp(100 * value, 0, 100)}%`;
      row.dataset.truth = String(truth === label);
      setText(text, this.className(label));
      setAttr(row, "title", `${this.className(label)} ${number(value, "%")}`);
    });
  }
}

/** One image of a strip. */
class StripItem {
  constructor() {
    this.canvas = el("canvas");
    this.context = context2d(this.canvas);
    this.text = el("span", "tr-guess");
    this.bars = Array.from({ length: BARS }, () => {
      const [fill, text] = [el("i"), el("b")];
      return { row: el("span", "tr-bar", {}, fill, text), fill, text };
    });
    const picture = el("span", "tr-picture", {}, this.canvas);
    const rows = this.bars.map((bar) => bar.row);
    this.element = el("button", "tr-item", { type: "button" }, picture, this.text, ...rows);
    /** @type {ArrayLike<number>} The pixels on the canvas. */
    this.pixels = [];
  }

  /**
   * Puts image `index` on the canvas, if it is another than the one there.
   *
   * @param {WireArray} images (n, rows, columns, 3), or without the last axis for grey
   * @param {number} index
   * @param {number} height px on screen
   */
  paint({ values, shape }, index, height) {
    const [, rows, columns, depth = 1] = shape;
    if (this.canvas.width !== columns || this.canvas.height !== rows) {
      this.canvas.width = columns;
      this.canvas.height = rows;
    }
    this.canvas.style.height = `${height}px`;
    const pixels = values.subarray(index * rows * columns * depth, (index + 1) * rows * columns * depth);
    if (sameValues(this.pixels, pixels)) return;
    this.pixels = pixels;
    const image = new ImageData(columns, rows);
    for (let p = 0; p < rows * columns; p++) {
      for (let c = 0; c < 3; c++) image.data[4 * p + c] = pixels[p * depth + (depth === 1 ? 0 : c)];
      image.data[4 * p + 3] = 255;
    }
    this.context.putImageData(image, 0, 0);
  }
}
