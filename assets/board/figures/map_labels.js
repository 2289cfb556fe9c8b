/**
 * What stands beside a map's tiles: names of rows and columns, titles, axes, marks.
 *
 * @import { MapPicture } from "./map_picture.js"
 */

import { fitText, widest } from "./canvas_text.js";
import { isByTile, tileCorner } from "./map_layout.js";
import { setFont } from "./map_picture.js";

/** @param {MapPicture} picture */
export function paintLabels(picture) {
  const { spec, tiles } = picture;
  if (tiles.n !== 1 && !isByTile(spec)) paintMarks(picture);
  else if (spec.plane) paintAxes(picture, spec.plane);
  else paintNames(picture);
}

/**
 * The marks beside the first tile of every row of tiles.
 *
 * @param {MapPicture} picture
 */
function paintMarks(picture) {
  const { context, spec, plan, tiles, theme } = picture;
  setFont(picture, 10.5);
  context.fillStyle = theme.text;
  context.textAlign = "right";
  context.textBaseline = "middle";
  for (let index = 0; index < tiles.n; index += plan.across) {
    const [x, y] = tileCorner(plan, tiles, index);
    (spec.marks ?? []).forEach((mark, row) => {
      if (mark) context.fillText(mark, x - 5, y + (row + 0.5) * plan.cell);
    });
  }
}

/**
 * The names of rows and columns of cells, or of whole tiles.
 *
 * @param {MapPicture} picture
 */
function paintNames(picture) {
  const { context, spec, plan, tiles, rows, columns, theme } = picture;
  const [x, y] = tileCorner(plan, tiles, 0);
  // what the names stand beside: cells, or whole tiles and the gaps between them
  const width = isByTile(spec) ? plan.cell * tiles.columns : plan.cell;
  const height = isByTile(spec) ? plan.cell * tiles.rows : plan.cell;
  const [stepX, stepY] = isByTile(spec) ? [width + plan.gap, height + plan.gap] : [width, height];
  const down = isByTile(spec) ? Math.ceil(tiles.n / plan.across) : tiles.rows;
  const across = isByTile(spec) ? Math.min(plan.across, tiles.n) : tiles.columns;
  const measure = (/** @type {string} */ text) => context.measureText(text).width;
  setFont(picture, 11);
  context.fillStyle = theme.text;
  context.textBaseline = "middle";
  const everyRow = Math.max(1, Math.ceil(12 / stepY)); // where rows are thin, not every one is named
  const everyColumn = Math.max(1, Math.ceil((plan.upright ? 12 : 16) / stepX));
  context.textAlign = "right";
  const nameWidth = x - (spec.row_title ? 16 : 0) - 4;
  rows.forEach((name, row) => {
    if (row >= down || row % everyRow) return;
    context.fillText(fitText(measure, name, nameWidth), x - 5, y + row * stepY + height / 2);
  });
  const columnRoom = plan.upright ? y - 8 - (spec.column_title ? 16 : 0) : everyColumn * stepX + 2;
  columns.forEach((name, column) => {
    if (column >= across || column % everyColumn) return;
    context.save();
    context.translate(x + column * stepX + width / 2, y - 4);
    if (plan.upright) context.rotate(-Math.PI / 2);
    context.textAlign = plan.upright ? "left" : "center";
    context.textBaseline = plan.upright ? "middle" : "alphabetic";
    context.fillText(fitText(measure, name, columnRoom), 0, 0);
    context.restore();
  });
  const allWidth = (across - 1) * stepX + width;
  const allHeight = (down - 1) * stepY + height;
  context.globalAlpha = 0.75;
  context.textAlign = "center";
  if (spec.column_title) {
    let above = 2;
    if (columns.length) above = plan.upright ? Math.min(y - 24, widest(measure, columns)) + 6 : 16;
    context.fillText(spec.column_title, x + allWidth / 2, Math.max(8, y - above - 8));
  }
  if (spec.row_title) {
    context.save();
    context.translate(Math.max(8, x - 5 - widest(measure, rows) - 12), y + allHeight / 2);
    context.rotate(-Math.PI / 2);
    context.fillText(spec.row_title, 0, 0);
    context.restore();
  }
  context.globalAlpha = 1;
}

/**
 * The axes of a plane: both ends and the middle of each, and its name.
 *
 * @param {MapPicture} picture
 * @param {[number, number]} plane
 */
function paintAxes(picture, [low, high]) {
  const { context, spec, plan, tiles, theme } = picture;
  const [x, y] = tileCorner(plan, tiles, 0);
  const [width, height] = [plan.cell * tiles.columns, plan.cell * tiles.rows];
  setFont(picture, 11);
  context.fillStyle = theme.text;
  const ticks = [low, (low + high) / 2, high].map((value) => String(value).replace("-", "−"));
  context.textBaseline = "middle";
  context.textAlign = "right";
  ticks.forEach((tick, i) => context.fillText(tick, x - 4, y + height * (1 - i / 2) + [-5, 0, 5][i]));
  const alignments = /** @type {const} */ (["left", "center", "right"]);
  ticks.forEach((tick, i) => {
    context.textAlign = alignments[i];
    context.fillText(tick, x + (width * i) / 2, y + height + 9);
  });
  context.globalAlpha = 0.75;
  context.textAlign = "center";
  context.fillText(spec.column_title ?? "", x + width / 2, y + height + 22);
  context.save();
  context.translate(x - 12, y + height / 4);
  context.rotate(-Math.PI / 2);
  context.fillText(spec.row_title ?? "", 0, 0);
  context.restore();
  context.globalAlpha = 1;
}
