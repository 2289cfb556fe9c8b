/** Small pictures in a row. */

import { flat, isArray, same } from "../arrays.js";
import { attribute, make, write } from "../dom.js";
import { Figure } from "./figure.js";
import { clamp, number } from "../numbers.js";

export class StripFigure extends Figure {
  setup() {
    this.row = make("div", "tr-strip", { role: "group" });
    this.empty = make("p", "tr-empty");
    this.body.append(this.row, this.empty);
    this.items = [];
  }

  newItem(index) {
    const item = {
      element: make("button", "tr-item", { type: "button" }),
      canvas: make("canvas"),
      text: make("span", "tr-guess"),
      bars: [],
      context: null,
    };
    item.context = item.canvas.getContext("2d");
    item.element.append(make("span", "tr-picture", {}, item.canvas), item.text);
    for (let i = 0; i < 3; i++) {
      const bar = { row: make("span", "tr-bar"), fill: make("i"), text: make("b") };
      bar.row.append(bar.fill, bar.text);
      item.element.append(bar.row);
      item.bars.push(bar);
    }
    item.element.addEventListener("click", () => {
      if (!this.spec.picks) return;
      this.picked = index;
      this.dirty = true;
      this.board.schedule();
      const given = flat(this.data.index);
      this.pick({ index: given.length ? Number(given[index]) : index });
    });
    item.element.addEventListener("keydown", (event) => {
      const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!move) return;
      event.preventDefault();
      event.stopPropagation();
      this.items[clamp(index + move, 0, this.items.length - 1)].element.focus();
    });
    this.row.append(item.element);
    return item;
  }

  draw() {
    const { images, label, guess, probabilities } = this.data;
    const n = isArray(images) ? images.shape[0] : 0;
    write(this.empty, isArray(images) ? "" : this.board.say("no_data"));
    while (this.items.length > n) this.items.pop().element.remove();
    while (this.items.length < n) this.items.push(this.newItem(this.items.length));
    const [labels, guesses] = [flat(label), flat(guess)];
    const width = isArray(probabilities) ? probabilities.shape.at(-1) : 0;
    const name = (index) => this.spec.classes[index] ?? String(index);
    const size = this.spec.height - (width ? 3 * 13 : 0) - (guesses.length || labels.length ? 18 : 0) - 14;
    for (let i = 0; i < n; i++) {
      const item = this.items[i];
      const [, rows, columns] = images.shape;
      if (item.canvas.width !== columns || item.canvas.height !== rows) {
        item.canvas.width = columns;
        item.canvas.height = rows;
      }
      item.canvas.style.height = `${size}px`;
      this.paint(item, images, i, rows, columns);
      const [truth, guessed] = [labels[i] ?? -1, guesses[i]];
      const judged = truth >= 0 && guessed !== undefined;
      const right = judged && Number(truth) === Number(guessed);
      item.element.dataset.mark = judged ? (right ? "right" : "wrong") : "";
      const words = guessed !== undefined ? name(Number(guessed)) : truth >= 0 ? name(Number(truth)) : "";
      const full = judged && !right ? `${name(Number(truth))} → ${words}` : words;
      const marked = judged ? `${right ? "✓" : "✗"} ${full}` : full;
      write(item.text, marked);
      attribute(item.element, "title", full);
      attribute(item.element, "aria-label", marked || `#${i}`);
      item.element.classList.toggle("tr-picked", this.picked === i);
      const order = width
        ? Array.from({ length: width }, (_, k) => k).sort(
            (a, b) => probabilities.values[i * width + b] - probabilities.values[i * width + a],
          )
        : [];
      item.bars.forEach((bar, at) => {
        bar.row.hidden = at >= order.length;
        if (bar.row.hidden) return;
        const value = probabilities.values[i * width + order[at]];
        bar.fill.style.width = `${clamp(100 * value, 0, 100)}%`;
        bar.row.dataset.truth = Number(truth) === order[at];
        write(bar.text, name(order[at]));
        attribute(bar.row, "title", `${name(order[at])} ${number(value, "%")}`);
      });
    }
    return true;
  }

  /** Puts image `i` on its canvas, if it is another than the one there. */
  paint(item, images, i, rows, columns) {
    const depth = images.shape[3] || 1;
    const bytes = images.values.subarray(i * rows * columns * depth, (i + 1) * rows * columns * depth);
    if (item.bytes && item.bytes.length === bytes.length && same(item.bytes, bytes)) return;
    item.bytes = bytes;
    const image = new ImageData(columns, rows);
    for (let p = 0; p < rows * columns; p++) {
      for (let c = 0; c < 3; c++) image.data[4 * p + c] = bytes[p * depth + (depth === 1 ? 0 : c)];
      image.data[4 * p + 3] = 255;
    }
    item.context.putImageData(image, 0, 0);
  }
}
