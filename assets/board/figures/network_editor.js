/** A small form with the weight of a line, or with the bias and all weights of a unit. */

import { el } from "../dom.js";
import { clamp } from "../numbers.js";

/**
 * @typedef {object} WeightField
 * @property {string} key "layer.unit.input", with "b" for the bias
 * @property {string} label
 * @property {number} value
 */

export class NetworkEditor {
  /**
   * @param {(entries: string[]) => void} submitted is told of the changed weights, as "layer.unit.input=value"
   * @param {() => void} closed is told when the reader closes the form
   */
  constructor(submitted, closed) {
    this.closed = closed;
    this.element = el("form", "tr-edit");
    this.element.hidden = true;
    this.element.addEventListener("submit", (event) => {
      event.preventDefault();
      submitted(this.entries());
    });
  }

  get open() {
    return !this.element.hidden;
  }

  /**
   * @param {string} title
   * @param {WeightField[]} fields
   * @param {Record<string, string>} words
   */
  show(title, fields, words) {
    const rows = fields.map(({ key, label, value }) => {
      const field = el("input", "", { type: "number", step: "any", min: -999, max: 999, value });
      field.dataset.key = key;
      field.dataset.before = String(value);
      return el("label", "", {}, el("span", "", {}, label), field);
    });
    const save = el("button", "tr-send", { type: "submit" }, words.set);
    const close = el("button", "tr-close", { type: "button", "aria-label": words.close }, "×");
    close.onclick = () => this.closed();
    this.element.replaceChildren(el("b", "", {}, title), close, ...rows, save);
    this.element.hidden = false;
  }

  /**
   * Puts the form left of a unit, and the cursor into its first field.
   *
   * @param {[number, number]} unit its centre, in px
   * @param {number} side px of the unit
   * @param {HTMLElement} body that it stands in, and that scrolls
   */
  place([x, y], side, body) {
    const { offsetWidth: width, offsetHeight: height, style } = this.element;
    const { scrollLeft, clientWidth, clientHeight } = body;
    style.left = `${clamp(x - width - side, scrollLeft, Math.max(scrollLeft, scrollLeft + clientWidth - width))}px`;
    style.top = `${clamp(y - height / 2, 0, Math.max(0, clientHeight - height))}px`;
    this.element.querySelector("input")?.select();
  }

  /** The weights that were changed. */
  entries() {
    return [...this.element.querySelectorAll("input")]
      .filter((field) => field.value !== "" && Number(field.value) !== Number(field.dataset.before))
      .map((field) => `${field.dataset.key}=${Number(Number(field.value).toFixed(6))}`);
  }

  hide() {
    this.element.hidden = true;
    this.element.replaceChildren();
  }
}
