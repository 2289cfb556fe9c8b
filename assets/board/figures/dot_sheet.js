/**
 * Dots on the tiles of a map: the points of a data set.
 *
 * @import { WireArray } from "../types.d.ts"
 */

import { sameValues } from "../arrays.js";
import { context2d } from "../dom.js";
import { clamp } from "../numbers.js";

/** Two classes of dots, pale and deep: even classes orange, odd ones blue. */
const DOTS = [
  ["#ffd9ad", "#5c2a00"],
  ["#b9dcff", "#0a2f57"],
];

/** The dots of a tile on a canvas of their own, drawn again only when they are others. */
export class DotSheet {
  constructor() {
    this.canvas = document.createElement("canvas");
    this.key = "";
    /** @type {ArrayLike<number>} */
    this.dots = [];
  }

  /**
   * @param {WireArray} dots (n, 3): across and down in 255ths of the tile, and a class
   * @param {string[]} palette of the classes, or none
   * @param {[number, number]} size of a tile in px
   * @param {number} ratio
   */
  draw({ values, shape }, palette, [width, height], ratio) {
    const key = [width, height, ratio].join();
    if (this.key === key && sameValues(this.dots, values)) return this.canvas;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    const context = context2d(this.canvas);
    context.scale(ratio, ratio);
    const radius = clamp(width / 80, 1.2, 3.2);
    const classes = palette.length ? palette.flatMap((_, index) => [index, 128 + index]) : [0, 1, 2, 3];
    for (const dotClass of classes) {
      context.beginPath();
      for (let i = 0; i < shape[0]; i++) {
        const [across, down, own] = values.subarray(3 * i, 3 * i + 3);
        if (own !== dotClass) continue;
        const [x, y] = [(across / 255) * width, (down / 255) * height];
        context.moveTo(x + radius, y);
        context.arc(x, y, radius, 0, 2 * Math.PI);
      }
      const marked = palette.length ? dotClass > 127 : dotClass > 1;
      const [pale, deep] = DOTS[dotClass % 2];
      context.fillStyle = palette.length ? palette[dotClass % 128] : marked ? deep : pale;
      context.strokeStyle = palette.length ? (marked ? "#10202e" : "#ffffff") : marked ? pale : deep;
      context.lineWidth = radius * (marked ? 0.6 : 0.35);
      context.fill();
      context.stroke();
    }
    [this.key, this.dots] = [key, values];
    return this.canvas;
  }
}
