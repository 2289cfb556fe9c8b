/**
 * Two columns of words and a line from each on the left to each on the right, as strong as its weight.
 *
 * @import { LinksSpec } from "../schema.d.ts"
 * @import { WireArray } from "../types.d.ts"
 * @import { Host } from "./host.d.ts"
 */

import { flat, isArray } from "../arrays.js";
import { context2d, el, setAttr, setText } from "../dom.js";
import { clamp, exactNumber } from "../numbers.js";
import { Figure } from "./figure.js";

const FAINTEST = 0.004; // a line weaker than this cannot be seen
const HEADS = 20; // px of the titles over the columns
const ROW_HEIGHT = [17, 30]; // px of a word, at least and at most
const TALLEST = 8000; // px of a canvas, which has its limits

/** @typedef {{ left: string[], right: string[], weights: WireArray }} Shown */
/** @typedef {[number, number]} Word column (0 left, 1 right) and index */

/** @extends {Figure<LinksSpec>} */
export class LinksFigure extends Figure {
  /**
   * @param {Host} host
   * @param {LinksSpec} spec
   */
  constructor(host, spec) {
    super(host, spec);
    this.heads = el("div", "tr-ends", { "aria-hidden": "true" }, el("span"), el("span"));
    this.canvas = el("canvas", "tr-canvas", { "aria-hidden": "true" });
    this.columns = [el("div", "tr-side", { role: "group" }), el("div", "tr-side tr-right", { role: "group" })];
    this.sheet = el("div", "tr-sheet", {}, this.canvas, ...this.columns);
    this.scroll = el("div", "tr-links", {}, this.heads, this.sheet);
    this.empty = el("p", "tr-empty");
    this.body.append(this.scroll, this.empty);
    /** @type {HTMLElement[][]} The words' elements, left and right. */
    this.items = [[], []];
    /** @type {Word | null} The word that is pointed at. */
    this.hot = null;
    /** @type {Shown | null} What is drawn. */
    this.shown = null;
    /** Px of a word. */
    this.rowHeight = 0;
  }

  /** @param {LinksSpec} spec */
  respec(spec) {
    super.respec(spec);
    const { left_title: left = "", right_title: right = "" } = spec;
    setText(this.heads.children[0], left);
    setText(this.heads.children[1], right);
    this.heads.hidden = !left && !right;
    this.columns.forEach((column, i) => setAttr(column, "aria-label", (i ? right : left) || spec.title || ""));
  }

  /**
   * @param {number} column
   * @param {number} index
   */
  addWord(column, index) {
    const word = el("button", "tr-word", { type: "button" }, el("i"), el("span"));
    const heat = (/** @type {boolean} */ on) => () => {
      const isHot = this.hot !== null && this.hot[0] === column && this.hot[1] === index;
      if (on === isHot) return;
      this.hot = on ? [column, index] : null;
      this.paint();
    };
    word.addEventListener("pointerenter", heat(true));
    word.addEventListener("pointerleave", heat(false));
    word.addEventListener("focus", heat(true));
    word.addEventListener("blur", heat(false));
    word.addEventListener("click", () => this.gesture({ [column ? "to" : "from"]: index }));
    word.addEventListener("keydown", (event) => {
      const move = { ArrowUp: -1, ArrowDown: 1 }[event.key];
      const over = { ArrowLeft: 0, ArrowRight: 1 }[event.key];
      if (move === undefined && over === undefined) return;
      event.preventDefault();
      event.stopPropagation();
      const list = this.items[over ?? column];
      list[clamp(index + (move || 0), 0, list.length - 1)]?.focus();
    });
    this.columns[column].append(word);
    this.items[column].push(word);
  }

  draw() {
    if (!this.body.clientWidth) return false;
    const { left, right, weights } = this.data;
    this.shown = isArray(weights) ? { left, right, weights } : null;
    setText(this.empty, this.shown ? "" : this.host.say("no_data"));
    this.scroll.hidden = !this.shown;
    if (!this.shown) return true;
    const count = Math.max(left.length, right.length);
    const available = this.body.clientHeight - (this.heads.hidden ? 0 : HEADS) - 2;
    this.rowHeight = clamp(Math.floor(available / count), ROW_HEIGHT[0], ROW_HEIGHT[1]);
    this.sheet.style.height = `${this.rowHeight * count}px`;
    [left, right].forEach((texts, column) => {
      const words = this.items[column];
      for (const word of words.splice(texts.length)) word.remove();
      while (words.length < texts.length) this.addWord(column, words.length);
      words.forEach((word, i) => {
        setText(/** @type {Node} */ (word.lastChild), texts[i]);
        word.style.height = `${this.rowHeight}px`;
      });
    });
    this.paint();
    return true;
  }

  /** Draws the lines, and beside the words the weights of the one that is pointed at. */
  paint() {
    const { shown } = this;
    if (!shown) return;
    const lengths = [shown.left.length, shown.right.length];
    const hot = this.hot && this.hot[1] < lengths[this.hot[0]] ? this.hot : null;
    this.markWords(shown, hot);
    this.drawLines(shown, hot);
  }

  /**
   * @param {Shown} shown
   * @param {Word | null} hot
   */
  markWords({ right, weights }, hot) {
    const select = flat(this.data.select).map(Number);
    const m = right.length;
    this.items.forEach((words, column) => {
      words.forEach((word, i) => {
        const other = hot !== null && hot[0] !== column;
        const share = other ? weights.values[column ? hot[1] * m + i : i * m + hot[1]] : 0;
        const text = word.textContent ?? "";
        /** @type {HTMLElement} */ (word.firstChild).style.opacity = String(clamp(share, 0, 1));
        setAttr(word, "aria-pressed", select[column] === i);
        setAttr(word, "data-hot", hot !== null && hot[0] === column && hot[1] === i);
        setAttr(word, "title", other ? `${text}: ${exactNumber(share)}` : text);
      });
    });
  }

  /**
   * @param {Shown} shown
   * @param {Word | null} hot only its lines are drawn
   */
  drawLines({ left, right, weights }, hot) {
    const [n, m] = [left.length, right.length];
    const ratio = window.devicePixelRatio || 1;
    const width = this.sheet.clientWidth;
    const side = this.columns[0].offsetWidth;
    const height = Math.min(this.rowHeight * Math.max(n, m), TALLEST);
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.canvas.style.cssText = `width:${width}px;height:${height}px`;
    const context = context2d(this.canvas);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    context.strokeStyle = this.host.theme.dark ? "#6db4f2" : "#1c6fc0";
    const [x0, x1] = [side + 4, width - side - 4];
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < m; j++) {
        if (hot && (hot[0] ? hot[1] !== j : hot[1] !== i)) continue;
        const weight = weights.values[i * m + j];
        if (!(weight > FAINTEST)) continue;
        context.globalAlpha = Math.min(1, weight);
        context.lineWidth = 1 + 2 * weight;
        context.beginPath();
        context.moveTo(x0, (i + 0.5) * this.rowHeight);
        context.lineTo(x1, (j + 0.5) * this.rowHeight);
        context.stroke();
      }
    }
    context.globalAlpha = 1;
  }
}
