/**
 * Where the tiles of a map stand, and which values their colours stand for.
 *
 * @import { MapSpec } from "../schema.d.ts"
 * @import { Measure } from "./canvas_text.js"
 */

import { widest, wrapText } from "./canvas_text.js";

const LINE = 14; // px of a line of a caption
const LEGEND = 20; // px of the scale under the tiles
const LABELS = 16; // px of a row of labels, or of a title

/**
 * Tiles of cells: values[((tile * rows + row) * columns + column) * depth + channel].
 *
 * @typedef {object} Tiles
 * @property {any} values
 * @property {number} n how many tiles
 * @property {number} rows of cells in a tile
 * @property {number} columns
 * @property {number} depth 1 for numbers, 3 for colours
 */

/**
 * @typedef {object} MapPlan
 * @property {number} cell px of a cell's side
 * @property {number} across tiles beside each other
 * @property {number} gap px between tiles
 * @property {number} caption px over each tile for its name
 * @property {number} left px
 * @property {number} top px
 * @property {number} bottom px of the lower end of the last tile
 * @property {number} lines of a caption
 * @property {boolean} wraps whether captions are broken into lines
 * @property {boolean} upright whether the names of columns stand upright
 */

/**
 * @typedef {object} MapLayoutInput
 * @property {MapSpec} spec
 * @property {Tiles} tiles
 * @property {string[]} rows names of rows
 * @property {string[]} columns names of columns
 * @property {string[]} captions names of tiles
 * @property {boolean} hasScale whether a scale stands under the tiles
 * @property {number} minLines lines that captions had before: numbers in them come and go, the tiles stay
 * @property {number} width px
 * @property {number} height px
 * @property {number} ratio pixels of the screen to one of css
 * @property {Measure} measure width of a label
 * @property {Measure} measureCaption width of a caption
 */

/**
 * Whether each tile is one thing to point at, and names are those of rows and columns of tiles.
 *
 * @param {MapSpec} spec
 */
export const isByTile = (spec) => spec.by_tile;

/**
 * Finds the largest cells for which all tiles and labels fit.
 *
 * @param {MapLayoutInput} input
 * @returns {{ plan: MapPlan, captionLines: number }} `captionLines`: how many lines the captions would need
 */
export function mapLayout(input) {
  const { spec, tiles, columns: names, width, height, ratio, measure } = input;
  const single = tiles.n === 1;
  const scale = input.hasScale ? LEGEND : 0;
  const axisBelow = single && spec.plane ? LABELS + (spec.column_title ? 14 : 0) : 0;
  const below = scale + axisBelow;
  const left = leftMargin(input, axisBelow > 0);
  let top = 0;
  if (single || isByTile(spec)) {
    if (names.length) top = LABELS;
    if (spec.column_title && !spec.plane) top += LABELS;
  }
  const gap = single ? 0 : Math.max(3, Math.min(8, width / (spec.across ? 140 : 60)));
  /**
   * @param {number} top
   * @param {number} caption
   */
  const fit = (top, caption) =>
    fitTiles(spec, tiles, { width: width - left, height: height - top - below, caption, gap });
  let lines = Math.max(0, ...spec.tiles.map(countLines));
  let caption = isByTile(spec) ? 0 : LINE * lines;
  let best = fit(top, caption);
  const upright = single && names.length > 0 && widest(measure, names) > best.cell - 2;
  if (upright) {
    // names of columns that do not fit beside each other
    top += Math.min(widest(measure, names), 0.22 * height) - 8;
    best = fit(top, caption);
  }
  let wraps = false;
  let captionLines = 0;
  if (caption) {
    // captions wider than their tiles go on in further lines, where the tiles need not shrink much for it
    const tileWidth = best.cell * tiles.columns;
    captionLines = Math.max(...input.captions.map((name) => wrapText(input.measureCaption, name, tileWidth).length));
    captionLines = Math.max(captionLines, input.minLines);
    if (captionLines > lines) {
      const wrapped = fit(top, LINE * captionLines);
      wraps = wrapped.cell > 0.85 * best.cell;
      if (wraps) [best, lines, caption] = [wrapped, captionLines, LINE * captionLines];
    }
  }
  const { across } = best;
  const cell = wholePixels(best.cell, spec, tiles, ratio);
  const down = Math.ceil(tiles.n / across);
  const usedWidth = left + across * cell * tiles.columns + gap * (across - 1);
  const usedHeight = top + below + down * (caption + cell * tiles.rows) + gap * (down - 1);
  const snap = (/** @type {number} */ value) => Math.round(value * ratio) / ratio;
  const planLeft = snap(left + Math.max(0, (width - usedWidth) / 2));
  const planTop = snap(top + Math.max(0, (height - usedHeight) / 2));
  const bottom = planTop + usedHeight - top - scale;
  const plan = { cell, across, gap, caption, left: planLeft, top: planTop, bottom, lines, wraps, upright };
  return { plan, captionLines };
}

/**
 * Px left of the tiles for the names of rows, marks, and an axis.
 *
 * @param {MapLayoutInput} input
 * @param {boolean} hasAxis
 */
function leftMargin({ spec, tiles, rows, width, measure }, hasAxis) {
  let left = 0;
  if (tiles.n === 1 || isByTile(spec)) {
    if (rows.length) left = Math.min(widest(measure, rows) + 8, 0.34 * width);
    if (spec.row_title) left += LABELS;
  } else if (spec.marks?.length) left = widest(measure, spec.marks) + 8;
  if (hasAxis && spec.plane) left += measure(String(spec.plane[0]).replace("-", "−")) + 8;
  return left;
}

/**
 * How many lines the longest of a caption's alternatives has.
 *
 * @param {string} template
 */
const countLines = (template) => Math.max(...template.split(" || ").map((text) => text.split("\n").length));

/**
 * The largest cells, and how many tiles then stand beside each other.
 *
 * @param {MapSpec} spec
 * @param {Tiles} tiles
 * @param {{ width: number, height: number, caption: number, gap: number }} room
 */
function fitTiles(spec, tiles, { width, height, caption, gap }) {
  let best = { cell: 0, across: 1 };
  for (let across = spec.across || 1; across <= (spec.across || tiles.n); across++) {
    const down = Math.ceil(tiles.n / across);
    const cell = Math.min(
      (width - gap * (across - 1)) / (across * tiles.columns),
      (height - down * caption - gap * (down - 1)) / (down * tiles.rows),
    );
    if (cell > best.cell) best = { cell, across };
  }
  return best;
}

/**
 * Crisp edges: a whole number of pixels to a cell, or to a tile where that is what counts or cells are too fine.
 *
 * @param {number} cell
 * @param {MapSpec} spec
 * @param {Tiles} tiles
 * @param {number} ratio
 */
function wholePixels(cell, spec, tiles, ratio) {
  const unit = isByTile(spec) || (tiles.n > 1 && cell * ratio < 4) ? tiles.columns : 1;
  return cell * unit * ratio >= 1 && !spec.smooth ? Math.floor(cell * unit * ratio) / ratio / unit : cell;
}

/**
 * The upper left corner of a tile, in px.
 *
 * @param {MapPlan} plan
 * @param {{ rows: number, columns: number }} tiles
 * @param {number} index
 * @returns {[number, number]}
 */
export function tileCorner({ cell, across, gap, caption, left, top }, { rows, columns }, index) {
  const down = Math.floor(index / across);
  return [left + (index % across) * (cell * columns + gap), top + down * (cell * rows + caption + gap) + caption];
}

/**
 * The tile, row and column at a point of the canvas, or null; of a tile that is one thing to point at, its first cell.
 *
 * @param {MapPlan} plan
 * @param {Tiles} tiles
 * @param {[number, number]} point in px
 * @param {boolean} byTile whether a tile is one thing to point at
 * @returns {[number, number, number] | null}
 */
export function cellAt(plan, tiles, point, byTile) {
  for (let index = 0; index < tiles.n; index++) {
    const [x, y] = tileCorner(plan, tiles, index);
    const column = Math.floor((point[0] - x) / plan.cell);
    const row = Math.floor((point[1] - y) / plan.cell);
    const inside = row >= 0 && row < tiles.rows && column >= 0 && column < tiles.columns;
    if (inside) return byTile ? [index, 0, 0] : [index, row, column];
  }
  return null;
}

/**
 * The cell beside another one; past a tile's edge lies its neighbour.
 *
 * @param {[number, number, number]} cell tile, row, column
 * @param {[number, number]} step down and to the right
 * @param {{ n: number, rows: number, columns: number, across: number }} shape
 * @returns {[number, number, number]}
 */
export function neighbourCell([tile, row, column], [down, right], { n, rows, columns, across }) {
  row += down;
  column += right;
  if (column < 0) [tile, column] = tile % across > 0 ? [tile - 1, columns - 1] : [tile, 0];
  else if (column >= columns)
    [tile, column] = (tile + 1) % across && tile + 1 < n ? [tile + 1, 0] : [tile, columns - 1];
  if (row < 0) [tile, row] = tile >= across ? [tile - across, rows - 1] : [tile, 0];
  else if (row >= rows) [tile, row] = tile + across < n ? [tile + across, 0] : [tile, rows - 1];
  return [tile, row, column];
}

/**
 * The lowest and highest value that the colours of a tile stand for.
 *
 * @param {MapSpec["limits"]} limits
 * @param {[number, number] | null | undefined | false} span what the bytes of a tile stand for, if they are bytes
 * @param {string} colors
 * @param {Tiles} tiles
 * @param {number} index of the tile
 * @returns {[number, number]}
 */
export function colorLimits(limits, span, colors, tiles, index) {
  if (span && !Array.isArray(limits)) return span;
  let [low, high] = Array.isArray(limits) ? limits : valueRange(tiles, limits === "each" ? index : null);
  if (colors === "diverging") {
    high = Math.max(Math.abs(low), Math.abs(high)) || 1;
    low = -high;
  }
  return [low, high];
}

/**
 * The range of the finite values of one tile, or of all.
 *
 * @param {Tiles} tiles
 * @param {number | null} index
 * @returns {[number, number]}
 */
function valueRange({ values, n, rows, columns }, index) {
  const size = rows * columns;
  const [from, to] = index === null ? [0, n * size] : [index * size, (index + 1) * size];
  let low = Infinity;
  let high = -Infinity;
  for (let i = from; i < to; i++) {
    const value = values[i];
    if (value < low && value > -Infinity) low = value;
    if (value > high && value < Infinity) high = value;
  }
  return low > high ? [0, 1] : [low, high];
}

/**
 * What a number of the tiles stands for.
 *
 * @param {number} value
 * @param {[number, number] | null | undefined | false} span
 */
export const spanned = (value, span) => (span ? span[0] + (value / 255) * (span[1] - span[0]) : value);
