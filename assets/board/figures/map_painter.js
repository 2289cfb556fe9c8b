/**
 * What stands on a map's canvas: tiles, dots, crosses, a stroke, labels.
 *
 * @import { MapPicture } from "./map_picture.js"
 */

import { flat, isArray } from "../arrays.js";
import { RED } from "../colors.js";
import { DotSheet } from "./dot_sheet.js";
import { paintLabels } from "./map_labels.js";
import { tileCorner } from "./map_layout.js";
import { TilePainter } from "./tile_painter.js";

export class MapPainter {
  constructor() {
    this.tiles = new TilePainter();
    this.dots = new DotSheet();
  }

  /**
   * @param {MapPicture} picture
   * @param {Record<string, any>} data `dots` on every tile, and the indices of those that are `crossed` out
   * @param {[number, number][]} stroke that is being drawn
   * @param {number} ratio pixels of the screen to one of css
   */
  paint(picture, { dots, crossed }, stroke, ratio) {
    const { context, spec, plan, tiles } = picture;
    const size = /** @type {[number, number]} */ ([plan.cell * tiles.columns, plan.cell * tiles.rows]);
    const sheet = isArray(dots) && dots.shape[0] ? this.dots.draw(dots, spec.palette, size, ratio) : null;
    for (let index = 0; index < tiles.n; index++) {
      this.tiles.paint(picture, index);
      const [x, y] = tileCorner(plan, tiles, index);
      if (sheet) context.drawImage(sheet, x, y, sheet.width / ratio, sheet.height / ratio);
    }
    for (const index of flat(crossed)) if (index < tiles.n) paintCross(picture, Number(index));
    paintStroke(picture, stroke);
    paintLabels(picture);
  }
}

/**
 * Strikes a tile out.
 *
 * @param {MapPicture} picture
 * @param {number} index
 */
function paintCross({ context, plan, tiles, theme }, index) {
  const [x, y] = tileCorner(plan, tiles, index);
  const [width, height] = [plan.cell * tiles.columns, plan.cell * tiles.rows];
  context.fillStyle = theme.background;
  context.globalAlpha = 0.55;
  context.fillRect(x, y, width, height);
  context.globalAlpha = 1;
  context.strokeStyle = RED;
  context.lineWidth = 2;
  context.beginPath();
  context.moveTo(x + 2, y + 2);
  context.lineTo(x + width - 2, y + height - 2);
  context.moveTo(x + width - 2, y + 2);
  context.lineTo(x + 2, y + height - 2);
  context.stroke();
}

/**
 * Marks the places that a press goes over, until the page has taken them.
 *
 * @param {MapPicture} picture
 * @param {[number, number][]} stroke across and down, from 0 to 1
 */
function paintStroke({ context, plan, tiles, theme }, stroke) {
  const [x, y] = tileCorner(plan, tiles, 0);
  const [width, height] = [plan.cell * tiles.columns, plan.cell * tiles.rows];
  context.fillStyle = theme.text;
  for (const [across, down] of stroke) {
    context.beginPath();
    context.arc(x + across * width, y + down * height, 3, 0, 2 * Math.PI);
    context.fill();
  }
}
