/**
 * Tiles of cells on a canvas: filters, activation maps, a confusion matrix, a decision boundary.
 *
 * @import { MapSpec } from "../schema.d.ts"
 * @import { TileInFocus } from "../types.d.ts"
 * @import { Host } from "./host.d.ts"
 * @import { MapPlan, Tiles } from "./map_layout.js"
 * @import { MapPicture } from "./map_picture.js"
 */

import { flat, isArray } from "../arrays.js";
import { context2d, el, placeBox, setText, sizeCanvas } from "../dom.js";
import { reading } from "../readings.js";
import { Figure } from "./figure.js";
import { colorLimits, isByTile, mapLayout, spanned, tileCorner } from "./map_layout.js";
import { MapPainter } from "./map_painter.js";
import { MapPointer } from "./map_pointer.js";
import { MapScale } from "./map_scale.js";
import { MapStroke } from "./map_stroke.js";

/** @extends {Figure<MapSpec>} */
export class MapFigure extends Figure {
  /**
   * @param {Host} host
   * @param {MapSpec} spec
   */
  constructor(host, spec) {
    super(host, spec);
    this.box = el("div", "tr-map", { tabindex: "0", role: "application" });
    this.canvas = el("canvas", "tr-canvas", { "aria-hidden": "true" });
    this.selected = el("div", "tr-selected");
    this.selected.hidden = true;
    this.scale = new MapScale();
    this.empty = el("p", "tr-empty");
    /** @type {string[]} The tiles' names at the moment on show. */
    this.names = [];
    /** @type {MapPlan | null} */
    this.plan = null;
    /** @type {Tiles | null} The tiles that are drawn. */
    this.shown = null;
    /** @type {[number, number, number] | null} The tile, row and column that was picked last. */
    this.picked = null;
    /** Lines that captions had at most, for a spec and a size. */
    this.captionLines = { key: "", lines: 0 };
    this.painter = new MapPainter();
    this.pointer = new MapPointer(this);
    this.strokes = new MapStroke(this);
    this.box.append(this.canvas, this.selected, this.pointer.cursor, this.pointer.tip, this.scale.element);
    this.body.append(this.box, this.empty);
  }

  /** @param {MapSpec} spec */
  respec(spec) {
    super.respec(spec);
    this.box.setAttribute("aria-label", spec.alt || spec.title || spec.id);
    this.names = this.captions();
  }

  /** What the figure that this one shows a tile of has in focus; null where this one shows its own. */
  get focus() {
    return this.spec.shows ? (this.host.figure(this.spec.shows)?.tileInFocus() ?? null) : null;
  }

  /** The names of the tiles; those that are readings say something else at another moment. */
  captions() {
    const { spec, moment, host, say, focus } = this;
    if (focus?.unitSpan !== undefined) return [focus.caption];
    const templates = focus ? [focus.caption] : spec.tiles;
    return templates.map((name) => (name.includes("{") ? reading(name, moment || [], host.names, say) : name));
  }

  read() {
    super.read();
    const names = this.captions();
    if (names.every((name, tile) => name === this.names[tile])) return;
    this.names = names;
    this.redraw();
  }

  /** The ramp of the colours, or "rgb". */
  get colors() {
    return this.focus?.unitSpan === undefined ? this.spec.colours : "diverging";
  }

  /** What bytes stand for: from its first to its second number. */
  get span() {
    return this.focus?.unitSpan ?? this.spec.span;
  }

  /** The figures that show a tile of this one in full. */
  get followers() {
    return this.host.figuresShowing(this.spec.id);
  }

  patched() {
    super.patched();
    this.tellFollowers();
  }

  tellFollowers() {
    for (const figure of this.followers) {
      figure.focusMoved();
      this.host.schedule();
    }
  }

  focusMoved() {
    this.names = this.captions();
    this.dirty = true;
  }

  /** The tile picked last, the first until then. */
  get chosen() {
    return Math.min(this.picked?.[0] ?? 0, (this.tiles?.n ?? 1) - 1);
  }

  /** @returns {TileInFocus} */
  tileInFocus() {
    const { tiles, chosen } = this;
    const caption = this.spec.tiles[chosen] ?? "";
    if (!tiles) return { tiles: null, caption, index: chosen };
    const size = tiles.rows * tiles.columns * tiles.depth;
    const values = tiles.values.subarray(chosen * size, (chosen + 1) * size);
    return { tiles: { ...tiles, n: 1, values }, caption, index: chosen };
  }

  /** @returns {Tiles | null} */
  get tiles() {
    const { focus } = this;
    if (focus) return focus.tiles;
    const { tiles } = this.data;
    if (!isArray(tiles)) return null;
    const shape = tiles.shape.length === 2 ? [1, ...tiles.shape] : tiles.shape;
    const [n, rows, columns, depth = 1] = shape;
    return n && rows && columns ? { values: tiles.values, n, rows, columns, depth } : null;
  }

  /**
   * Names of the rows: those that came with the tiles, else the figure's own.
   *
   * @returns {string[]}
   */
  get rows() {
    return this.data.rows ?? this.spec.rows;
  }

  /** @returns {string[]} */
  get columns() {
    return this.data.columns ?? this.spec.columns;
  }

  draw() {
    const width = this.body.clientWidth;
    const height = this.body.clientHeight;
    if (!width) return false;
    const tiles = (this.shown = this.tiles);
    setText(this.empty, tiles ? "" : this.host.say("no_data"));
    this.box.hidden = !tiles;
    if (!tiles) return true;
    const ratio = window.devicePixelRatio || 1;
    sizeCanvas(this.canvas, width, height, ratio);
    const context = context2d(this.canvas);
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    const plan = (this.plan = this.arrange(context, tiles, { width, height, ratio }));
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.imageSmoothingEnabled = !!this.spec.smooth;
    this.painter.paint(this.picture(context, plan, tiles), this.data, this.strokes.places ?? [], ratio);
    this.drawScale(plan, tiles);
    this.mark();
    if (this.spec.shows) setText(this.title, [this.spec.title, this.captions()[0]].filter(Boolean).join(" · "));
    this.pointer.refresh();
    return true;
  }

  /**
   * Finds the places of the tiles.
   *
   * @param {CanvasRenderingContext2D} context
   * @param {Tiles} tiles
   * @param {{ width: number, height: number, ratio: number }} size
   */
  arrange(context, tiles, { width, height, ratio }) {
    const { spec, rows, columns, names, hasScale } = this;
    const { font } = this.host.theme;
    const measureIn = (/** @type {number} */ size) => (/** @type {string} */ text) => {
      context.font = `${size}px ${font}`;
      return context.measureText(text).width;
    };
    const key = [this.specText, width, height].join();
    if (key !== this.captionLines.key) this.captionLines = { key, lines: 0 };
    const { plan, captionLines } = mapLayout({
      spec,
      tiles,
      rows,
      columns,
      captions: names,
      hasScale,
      minLines: this.captionLines.lines,
      width,
      height,
      ratio,
      measure: measureIn(11),
      measureCaption: measureIn(10.5),
    });
    this.captionLines.lines = Math.max(this.captionLines.lines, captionLines);
    return plan;
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {MapPlan} plan
   * @param {Tiles} tiles
   * @returns {MapPicture}
   */
  picture(context, plan, tiles) {
    const { spec, names, rows, columns, colors, span } = this;
    return { context, spec, plan, tiles, captions: names, rows, columns, colors, span, theme: this.host.theme };
  }

  /**
   * The upper left corner of a tile, in px.
   *
   * @param {number} index
   */
  corner(index) {
    return tileCorner(/** @type {MapPlan} */ (this.plan), /** @type {Tiles} */ (this.shown), index);
  }

  /** Whether one range of values holds for all there is to see, so that it can be said. */
  get hasScale() {
    const { limits } = this.spec;
    const pictures = isByTile(this.spec) && this.tiles && this.tiles.rows * this.tiles.columns > 1;
    return this.colors !== "rgb" && limits !== "each" && !pictures;
  }

  /**
   * @param {MapPlan} plan
   * @param {Tiles} tiles
   */
  drawScale(plan, tiles) {
    const { spec, colors, span } = this;
    const show = this.hasScale && tiles.depth === 1;
    this.scale.draw(colors, show ? colorLimits(spec.limits, span, colors, tiles, 0) : null, plan.bottom + 4);
  }

  /**
   * The value of a cell; a list of three for a colour.
   *
   * @param {[number, number, number]} cell
   * @returns {number | number[]}
   */
  value([tile, row, column]) {
    const { values, rows, columns, depth } = /** @type {Tiles} */ (this.shown);
    const at = (tile * rows + row) * columns + column;
    return depth === 1 ? spanned(values[at], this.span) : Array.from(values.subarray(at * depth, at * depth + 3));
  }

  /**
   * Width and height of what is pointed at, in px: a cell, or a whole tile.
   *
   * @returns {[number, number]}
   */
  get extent() {
    const { cell } = /** @type {MapPlan} */ (this.plan);
    const { columns, rows } = /** @type {Tiles} */ (this.shown);
    return isByTile(this.spec) ? [cell * columns, cell * rows] : [cell, cell];
  }

  /**
   * Puts a frame around a cell.
   *
   * @param {HTMLElement} element
   * @param {[number, number, number]} cell
   */
  frameCell(element, [tile, row, column]) {
    const [width, height] = this.extent;
    const [x, y] = this.corner(tile);
    placeBox(element, x + column * width, y + row * height, width, height);
  }

  /** Frames the chosen cell: what a patch selects, else what was picked last. */
  mark() {
    const { shown, plan, selected } = this;
    if (!shown || !plan) return;
    if (this.followers.length) {
      const [x, y] = this.corner(this.chosen); // the whole tile that is shown in full elsewhere
      placeBox(selected, x, y, plan.cell * shown.columns, plan.cell * shown.rows);
      return;
    }
    const { select } = this.data;
    const cell = select ? Array.from(flat(select), Number) : this.picked;
    if (!cell || cell[0] >= shown.n || cell[1] >= shown.rows || cell[2] >= shown.columns) selected.hidden = true;
    else this.frameCell(selected, /** @type {[number, number, number]} */ (cell));
  }

  /** @param {[number, number, number]} cell */
  choose(cell) {
    if (!this.spec.picks) return;
    this.picked = cell;
    this.mark();
    this.tellFollowers();
    const [, row, col] = cell;
    const { focus } = this;
    const tile = focus && focus.unitSpan === undefined ? focus.index : cell[0];
    const value = this.value(cell);
    const name = this.spec.tiles[tile];
    this.gesture({ tile, row, col, value: Array.isArray(value) ? undefined : value, x: col, y: row, name });
  }
}
