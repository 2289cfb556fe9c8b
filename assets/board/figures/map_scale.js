/** The scale under a map: its colours, and the values at both ends. */

import { gradient, rampOf } from "../colors.js";
import { el, setText } from "../dom.js";
import { number } from "../numbers.js";

export class MapScale {
  constructor() {
    this.low = el("span");
    this.bar = el("i");
    this.high = el("span");
    this.element = el("div", "tr-scale", { "aria-hidden": "true" }, this.low, this.bar, this.high);
  }

  /**
   * @param {string} colors name of the ramp
   * @param {[number, number] | null} limits its lowest and highest value; null for no scale
   * @param {number} top px
   */
  draw(colors, limits, top) {
    const ramp = rampOf(colors);
    this.element.hidden = !limits || !ramp;
    if (!limits || !ramp) return;
    this.bar.style.background = gradient(ramp);
    setText(this.low, number(limits[0], "3"));
    setText(this.high, number(limits[1], "3"));
    this.element.style.top = `${top}px`;
  }
}
