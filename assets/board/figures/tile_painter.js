/**
 * The tiles of a map: their cells, the numbers in these, the names over them.
 *
 * @import { MapPicture } from "./map_picture.js"
 */

import { inkOn, rampIndex, rampOf } from "../colors.js";
import { context2d } from "../dom.js";
import { clamp, shortNumber } from "../numbers.js";
import { fitText, wrapText } from "./canvas_text.js";
import { colorLimits, isByTile, spanned, tileCorner } from "./map_layout.js";
import { setFont } from "./map_picture.js";

const SMALLEST_NUMBERED = 17; // px of the smallest cells that have their number in them
const CAPTION_FONT = 10.5; // px

/** Paints tiles by way of a canvas with one pixel to a cell. */
export class TilePainter {
  constructor() {
    this.scratch = document.createElement("canvas");
    this.image = new ImageData(1, 1);
  }

  /**
   * @param {MapPicture} picture
   * @param {number} index
   */
  paint(picture, index) {
    const { context, spec, plan, tiles } = picture;
    const { rows, columns } = tiles;
    const [x, y] = tileCorner(plan, tiles, index);
    this.fill(picture, index);
    context2d(this.scratch).putImageData(this.image, 0, 0);
    context.drawImage(this.scratch, x, y, plan.cell * columns, plan.cell * rows);
    if (spec.numbers && tiles.depth === 1 && plan.cell >= SMALLEST_NUMBERED) this.paintNumbers(picture, index);
    if (spec.tiles[index] && picture.captions[index] && !isByTile(spec)) paintCaption(picture, index);
  }

  /**
   * Puts a tile's colours into the image.
   *
   * @param {MapPicture} picture
   * @param {number} index
   */
  fill({ spec, tiles, colors, span }, index) {
    const { rows, columns, depth, values } = tiles;
    if (this.image.width !== columns || this.image.height !== rows || this.scratch.width !== columns) {
      this.scratch.width = columns;
      this.scratch.height = rows;
      this.image = new ImageData(columns, rows);
    }
    const out = this.image.data;
    const size = rows * columns;
    const table = rampOf(colors);
    const [low, high] = depth === 1 ? colorLimits(spec.limits, span, colors, tiles, index) : [0, 255];
    for (let i = 0; i < size; i++) {
      const at = 4 * i;
      if (depth > 1) {
        for (let c = 0; c < 3; c++) out[at + c] = values[(index * size + i) * depth + c];
        out[at + 3] = 255;
        continue;
      }
      const value = spanned(values[index * size + i], span);
      const missing = Number.isNaN(value);
      const color = rampIndex(value, low, high);
      for (let c = 0; c < 3; c++) out[at + c] = missing ? 128 : table ? table[3 * color + c] : color;
      out[at + 3] = missing ? 70 : 255;
    }
  }

  /**
   * Writes each cell's value into it.
   *
   * @param {MapPicture} picture
   * @param {number} index
   */
  paintNumbers(picture, index) {
    const { context, plan, tiles } = picture;
    const { cell } = plan;
    const size = tiles.rows * tiles.columns;
    const [x, y] = tileCorner(plan, tiles, index);
    const out = this.image.data;
    context.textAlign = "center";
    context.textBaseline = "middle";
    let font = clamp(cell * 0.36, 8, 14);
    const texts = Array.from({ length: size }, (_, i) => shortNumber(tiles.values[index * size + i]));
    setFont(picture, font);
    const width = Math.max(...texts.map((text) => context.measureText(text).width));
    if (width > cell - 3) font = Math.max(6.5, (font * (cell - 3)) / width);
    setFont(picture, font);
    for (let i = 0; i < size; i++) {
      context.fillStyle = inkOn(out[4 * i], out[4 * i + 1], out[4 * i + 2]);
      const [column, row] = [i % tiles.columns, Math.floor(i / tiles.columns)];
      context.fillText(texts[i], x + (column + 0.5) * cell, y + (row + 0.5) * cell);
    }
  }
}

/**
 * Writes a tile's name over it.
 *
 * @param {MapPicture} picture
 * @param {number} index
 */
function paintCaption(picture, index) {
  const { context, plan, tiles, captions, theme } = picture;
  const [x, y] = tileCorner(plan, tiles, index);
  const width = plan.cell * tiles.columns;
  const measure = (/** @type {string} */ text) => context.measureText(text).width;
  setFont(picture, CAPTION_FONT);
  context.textAlign = "left";
  context.textBaseline = "alphabetic";
  context.fillStyle = theme.text;
  const lines = plan.wraps ? wrapText(measure, captions[index], width) : captions[index].split("\n");
  const above = plan.wraps ? lines.length : plan.lines; // those that differ in length end at their tiles
  lines.forEach((line, at) => context.fillText(fitText(measure, line, width + 2), x, y - 3 - 14 * (above - 1 - at)));
}
