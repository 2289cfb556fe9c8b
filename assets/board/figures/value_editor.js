/** A field over a figure in which the reader gives a number another value. */

import { el, setText } from "../dom.js";
import { clamp } from "../numbers.js";

export class ValueEditor {
  /** @param {(name: string, value: number) => void} changed is told of each other value */
  constructor(changed) {
    this.changed = changed;
    /** The number that is edited, or "". */
    this.name = "";
    /** Its value before, as text. */
    this.before = "";
    this.field = el("input", "", { type: "text", inputmode: "decimal", size: "8", autocomplete: "off" });
    this.label = el("span");
    this.element = el("label", "tr-edit", { hidden: "" }, this.label, this.field);
    this.field.addEventListener("change", () => this.read());
    this.field.addEventListener("blur", () => this.close());
    this.field.addEventListener("keydown", (event) => {
      event.stopPropagation(); // the player's keys are letters and arrows too
      if (event.key === "Escape") this.field.value = this.before;
      if (event.key === "Escape" || event.key === "Enter") this.field.blur();
    });
  }

  /**
   * Opens the field under a point.
   *
   * @param {string} name of the number
   * @param {string} label
   * @param {number} value
   * @param {[number, number]} at px
   * @param {{ width: number, height: number }} bounds
   */
  open(name, label, value, at, bounds) {
    this.name = name;
    this.element.hidden = false;
    setText(this.label, `${label} =`);
    this.field.value = this.before = String(Number(value.toPrecision(6)));
    this.field.setAttribute("aria-label", `${label} =`);
    this.field.setAttribute("aria-invalid", "false");
    const { offsetWidth: width, offsetHeight: height, style } = this.element;
    style.left = `${clamp(at[0] - width / 2, 2, bounds.width - width - 2)}px`;
    style.top = `${clamp(at[1] + 8, 2, bounds.height - height - 2)}px`;
    this.field.focus({ preventScroll: true });
    this.field.select();
  }

  /** Takes what was typed. */
  read() {
    const text = this.field.value.trim().replace("−", "-").replace(",", ".");
    const value = text === "" ? NaN : Number(text);
    this.field.setAttribute("aria-invalid", String(!Number.isFinite(value)));
    if (Number.isFinite(value) && this.name && text !== this.before) this.changed(this.name, value);
  }

  close() {
    this.element.hidden = true;
  }
}
