/**
 * The cell of a map that is pointed at, with the mouse or the keys: framed, and named with its value.
 *
 * @import { MapFigure } from "./map.js"
 */

import { flat, sameValues } from "../arrays.js";
import { el, placeTip, setText } from "../dom.js";
import { exactNumber, number } from "../numbers.js";
import { cellAt, isByTile, neighbourCell } from "./map_layout.js";

/** @type {Record<string, [number, number]>} Down and to the right. */
const MOVES = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
const TIP = 34; // px over a cell that its tip needs

/** @typedef {[number, number, number]} Cell tile, row and column */

export class MapPointer {
  /** @param {MapFigure} map */
  constructor(map) {
    this.map = map;
    this.cursor = el("div", "tr-cursor");
    this.tip = el("div", "tr-tip", { role: "status", "aria-live": "polite" });
    this.cursor.hidden = this.tip.hidden = true;
    /** @type {Cell | null} The cell that is pointed at. */
    this.cell = null;
    /** @type {[number, number, number] | null} Unit, row and column whose exact value was asked for. */
    this.asked = null;
    const { box } = map;
    box.addEventListener("pointermove", (event) => this.point(this.hit(event)));
    box.addEventListener("pointerleave", () => this.hide());
    box.addEventListener("blur", () => this.hide());
    box.addEventListener("click", (event) => {
      const cell = map.strokes.enabled ? null : this.hit(event);
      if (!cell) return;
      this.point(cell);
      map.choose(cell);
    });
    box.addEventListener("keydown", (event) => this.key(event));
  }

  /**
   * The cell under the pointer, or null.
   *
   * @param {MouseEvent} event
   */
  hit({ clientX, clientY }) {
    const { plan, shown, canvas, spec } = this.map;
    if (!shown || !plan) return null;
    const box = canvas.getBoundingClientRect();
    return cellAt(plan, shown, [clientX - box.left, clientY - box.top], isByTile(spec));
  }

  /** The map was drawn again. */
  refresh() {
    if (this.cell) this.point(this.cell);
  }

  /**
   * Shows the cell under the pointer or the keys, and says its exact value.
   *
   * @param {Cell | null} cell
   */
  point(cell) {
    const { map } = this;
    const { shown } = map;
    if (!cell || !shown || cell[0] >= shown.n || cell[1] >= shown.rows || cell[2] >= shown.columns) return this.hide();
    this.cell = cell;
    const [tile, row, column] = cell;
    const single = !isByTile(map.spec) || shown.rows * shown.columns === 1;
    const value = this.valueText(cell);
    setText(this.tip, this.names(cell).join(" · ") + (single ? `: ${value}` : ""));
    this.tip.hidden = false;
    map.frameCell(this.cursor, cell);
    const [x, y] = map.corner(tile);
    const [width, height] = map.extent;
    placeTip(this.tip, {
      x: x + (column + 0.5) * width,
      above: y + row * height > TIP ? y + row * height - 6 : null,
      below: y + (row + 1) * height + 6,
      width: map.body.clientWidth,
    });
    return undefined;
  }

  /**
   * What a cell is called: its tile, its row, its column.
   *
   * @param {Cell} cell
   */
  names([tile, row, column]) {
    const { map } = this;
    const { spec, shown } = map;
    const names = [];
    if (map.names[tile]) names.push(map.names[tile].split("\n")[0]);
    else if (shown && shown.n > 1) names.push(`#${tile}`);
    if (isByTile(spec) || !shown) return names;
    const { plane } = spec;
    const titled = (/** @type {string | undefined} */ title, /** @type {unknown} */ name) =>
      `${title ? `${title} ` : ""}${name}`;
    if (!plane) {
      names.push(
        titled(spec.row_title, map.rows[row] ?? row),
        titled(spec.column_title, map.columns[column] ?? column),
      );
      return names;
    }
    const centre = (/** @type {number} */ part, /** @type {number} */ count) =>
      number(plane[0] + ((part + 0.5) / count) * (plane[1] - plane[0]), "3");
    names.push(titled(spec.column_title, centre(column, shown.columns)));
    names.push(titled(spec.row_title, centre(shown.rows - 1 - row, shown.rows)));
    return names;
  }

  /** @param {Cell} cell */
  valueText(cell) {
    const { map } = this;
    const value = map.value(cell);
    const exact = this.exactValue(cell);
    if (exact !== undefined) return exact;
    if (Array.isArray(value)) return map.spec.plane ? "…" : value.join(", ");
    return map.spec.exact ? `≈ ${number(value, "2")}` : exactNumber(value);
  }

  /**
   * Asks for the exact value of a cell, once; returns it as text when it is there.
   *
   * @param {Cell} cell
   */
  exactValue([, row, column]) {
    const { map } = this;
    const { exact: query } = map.spec;
    const { focus } = map;
    const unit = focus?.unitSpan === undefined ? -1 : focus.index;
    if (!query || unit < -1) return undefined;
    /** @type {[number, number, number]} */
    const wanted = [unit, row, column];
    if (!sameValues(wanted, this.asked ?? [])) {
      this.asked = wanted;
      map.host.queries.askFrom(query, { unit, row, col: column }, true);
    }
    const known = Array.from(flat(map.data.exact), Number);
    return sameValues(wanted, known.slice(0, 3)) ? exactNumber(known[3]) : undefined;
  }

  hide() {
    this.cell = null;
    this.cursor.hidden = true;
    this.tip.hidden = true;
    if (!this.asked) return;
    this.asked = null;
    this.map.host.queries.dropGesture(this.map.spec.exact ?? "");
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const { map } = this;
    const { shown, plan, picked, spec } = map;
    const move = MOVES[event.key];
    const press = event.key === "Enter" || event.key === " ";
    if ((!move && !press) || !shown || !plan) return;
    event.preventDefault();
    event.stopPropagation();
    if (press) {
      if (this.cell) map.choose(this.cell);
      return;
    }
    const from = this.cell || picked;
    const { rows, columns } = isByTile(spec) ? { rows: 1, columns: 1 } : shown;
    this.point(from ? neighbourCell(from, move, { n: shown.n, rows, columns, across: plan.across }) : [0, 0, 0]);
  }
}
