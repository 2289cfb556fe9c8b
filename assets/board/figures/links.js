/** Two columns of words and lines between them. */

import { flat, isArray } from "../arrays.js";
import { attribute, make, write } from "../dom.js";
import { Figure } from "./figure.js";
import { clamp, exact } from "../numbers.js";

const FAINT = 0.004; // a line weaker than this cannot be seen

export class LinksFigure extends Figure {
  setup() {
    this.heads = make("div", "tr-ends", { "aria-hidden": "true" }, make("span"), make("span"));
    this.scroll = make("div", "tr-links");
    this.sheet = make("div", "tr-sheet");
    this.canvas = make("canvas", "tr-canvas", { "aria-hidden": "true" });
    this.sides = [make("div", "tr-side", { role: "group" }), make("div", "tr-side tr-right", { role: "group" })];
    this.sheet.append(this.canvas, ...this.sides);
    this.scroll.append(this.heads, this.sheet);
    this.empty = make("p", "tr-empty");
    this.body.append(this.scroll, this.empty);
    this.ends = [[], []]; // the words' elements, left and right
    this.hot = null; // [side, index] of the word pointed at
  }

  respec(spec) {
    super.respec(spec);
    write(this.heads.children[0], spec.left_title || "");
    write(this.heads.children[1], spec.right_title || "");
    this.heads.hidden = !spec.left_title && !spec.right_title;
    this.sides.forEach((side, i) =>
      attribute(side, "aria-label", (i ? spec.right_title : spec.left_title) || spec.title || ""),
    );
  }

  newWord(side, index) {
    const word = make("button", "tr-word", { type: "button" }, make("i"), make("span"));
    const heat = (on) => () => {
      const same = this.hot && this.hot[0] === side && this.hot[1] === index;
      if (on === !!same) return;
      this.hot = on ? [side, index] : null;
      this.paint();
    };
    word.addEventListener("pointerenter", heat(true));
    word.addEventListener("pointerleave", heat(false));
    word.addEventListener("focus", heat(true));
    word.addEventListener("blur", heat(false));
    word.addEventListener("click", () => this.pick({ [side ? "to" : "from"]: index }));
    word.addEventListener("keydown", (event) => {
      const move = { ArrowUp: -1, ArrowDown: 1 }[event.key];
      const over = { ArrowLeft: 0, ArrowRight: 1 }[event.key];
      if (move === undefined && over === undefined) return;
      event.preventDefault();
      event.stopPropagation();
      const list = this.ends[over ?? side];
      list[clamp(index + (move || 0), 0, list.length - 1)]?.focus();
    });
    this.sides[side].append(word);
    return word;
  }

  draw() {
    const width = this.body.clientWidth;
    if (!width) return false;
    const { left, right, weights } = this.data;
    this.shown = isArray(weights) ? { left, right, weights } : null;
    write(this.empty, this.shown ? "" : this.board.say("no_data"));
    this.scroll.hidden = !this.shown;
    if (!this.shown) return true;
    const most = Math.max(left.length, right.length);
    const room = this.body.clientHeight - (this.heads.hidden ? 0 : 20) - 2;
    this.row = clamp(Math.floor(room / most), 17, 30);
    this.sheet.style.height = `${this.row * most}px`;
    [left, right].forEach((list, side) => {
      const words = this.ends[side];
      while (words.length > list.length) words.pop().remove();
      while (words.length < list.length) words.push(this.newWord(side, words.length));
      list.forEach((text, i) => {
        write(words[i].lastChild, text);
        words[i].style.height = `${this.row}px`;
      });
    });
    this.paint();
    return true;
  }

  /** The lines, and beside the words the weights of the one pointed at. Only what lies in sight is drawn. */
  paint() {
    if (!this.shown) return;
    const { left, right, weights } = this.shown;
    const [n, m] = [left.length, right.length];
    const select = flat(this.data.select).map(Number);
    const hot = this.hot && this.hot[1] < (this.hot[0] ? m : n) ? this.hot : null;
    this.ends.forEach((words, side) => {
      words.forEach((word, i) => {
        let share = 0;
        if (hot && hot[0] !== side) share = weights.values[side ? hot[1] * m + i : i * m + hot[1]];
        word.firstChild.style.opacity = String(clamp(share, 0, 1));
        attribute(word, "aria-pressed", select[side] === i);
        attribute(word, "data-hot", !!hot && hot[0] === side && hot[1] === i);
        attribute(word, "title", hot && hot[0] !== side ? `${word.textContent}: ${exact(share)}` : word.textContent);
      });
    });
    const ratio = window.devicePixelRatio || 1;
    const width = this.sheet.clientWidth;
    const side = this.sides[0].offsetWidth;
    const tall = this.row * Math.max(n, m);
    const height = Math.min(tall, 8000); // a canvas has its limits
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.canvas.style.cssText = `width:${width}px;height:${height}px`;
    const context = this.canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    context.strokeStyle = this.board.theme.dark ? "#6db4f2" : "#1c6fc0";
    const [x0, x1] = [side + 4, width - side - 4];
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < m; j++) {
        if (hot && (hot[0] ? hot[1] !== j : hot[1] !== i)) continue;
        const weight = weights.values[i * m + j];
        if (!(weight > FAINT)) continue;
        context.globalAlpha = Math.min(1, weight);
        context.lineWidth = 1 + 2 * weight;
        context.beginPath();
        context.moveTo(x0, (i + 0.5) * this.row);
        context.lineTo(x1, (j + 0.5) * this.row);
        context.stroke();
      }
    }
    context.globalAlpha = 1;
  }
}
