/**
 * Rows of numbers under headings, each row with a name.
 *
 * @import { Moment } from "../moment.js"
 * @import { TableSpec } from "../schema.d.ts"
 * @import { Host } from "./host.d.ts"
 */

import { isArray } from "../arrays.js";
import { el, setAttr, setText } from "../dom.js";
import { clamp, exactNumber, number } from "../numbers.js";
import { Figure } from "./figure.js";

/** @extends {Figure<TableSpec>} */
export class TableFigure extends Figure {
  /**
   * @param {Host} host
   * @param {TableSpec} spec
   */
  constructor(host, spec) {
    super(host, spec);
    this.head = el("tr");
    this.rows = el("tbody");
    this.table = el("table", "tr-table", {}, el("thead", "", {}, this.head), this.rows);
    this.scroll = el("div", "tr-rows", { tabindex: "0" }, this.table);
    this.empty = el("p", "tr-empty");
    this.body.append(this.scroll, this.empty);
  }

  /** @param {TableSpec} spec */
  respec(spec) {
    super.respec(spec);
    const heads = [spec.head || "", ...spec.columns.map((column) => column.title)];
    this.head.replaceChildren(...heads.map((text) => el("th", "", { scope: "col" }, text)));
    setAttr(this.table, "aria-label", spec.alt || spec.title || spec.id);
  }

  /** @param {Moment} moment */
  signature(moment) {
    return this.spec.bind?.length ? [this.host.runs.current?.version, moment.step].join() : "";
  }

  /** Names and values: the scalars that the rows are bound to, over them what patches say. */
  get data() {
    const { bind = [], rows = [], columns } = this.spec;
    const { moment } = this;
    if (!bind.length || !moment?.n) return super.data;
    const now = (/** @type {string | null} */ name) => (name === null ? NaN : (moment.now(name) ?? NaN));
    const values = Float64Array.from(bind.flat(), now);
    return { names: rows, values: { values, shape: [rows.length, columns.length] }, ...super.data };
  }

  /** @param {number} index */
  addRow(index) {
    const name = el("th", "", { scope: "row" });
    const row = el("tr", "", {}, name);
    const press = () => {
      if (this.spec.picks) this.gesture({ row: index, name: name.textContent });
    };
    row.addEventListener("click", press);
    row.addEventListener("keydown", (event) => {
      const move = event.key === "ArrowUp" ? -1 : event.key === "ArrowDown" ? 1 : 0;
      const rows = /** @type {HTMLCollectionOf<HTMLElement>} */ (this.rows.children);
      if (event.key === "Enter" || event.key === " ") press();
      else if (move) rows[clamp(index + move, 0, rows.length - 1)].focus();
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    this.rows.append(row);
  }

  draw() {
    if (!this.body.clientWidth) return false;
    const { names = [], values, select } = this.data;
    const shown = isArray(values);
    setText(this.empty, shown ? "" : this.host.say("no_data"));
    this.scroll.hidden = !shown;
    if (!shown) return true;
    const width = this.spec.columns.length;
    while (this.rows.children.length > names.length) this.rows.lastChild?.remove();
    while (this.rows.children.length < names.length) this.addRow(this.rows.children.length);
    const largest = this.spec.columns.map((_, column) => {
      const sizes = names.map((/** @type {string} */ _name, /** @type {number} */ row) => {
        return Math.abs(values.values[row * width + column]) || 0;
      });
      return Math.max(1e-12, ...sizes);
    });
    names.forEach((/** @type {string} */ name, /** @type {number} */ index) => {
      const row = this.rows.children[index];
      setText(row.children[0], name);
      this.drawCells(row, values.values.subarray(index * width, (index + 1) * width), largest);
      setAttr(row, "aria-selected", Number(select) === index);
      if (this.spec.picks) setAttr(row, "tabindex", 0);
    });
    return true;
  }

  /**
   * @param {Element} row
   * @param {ArrayLike<number>} values
   * @param {number[]} largest absolute value of each column
   */
  drawCells(row, values, largest) {
    const { columns, nan } = this.spec;
    while (row.children.length > 1 + columns.length) row.lastChild?.remove();
    while (row.children.length < 1 + columns.length) row.append(el("td", "", {}, el("i"), el("span")));
    columns.forEach(({ bar }, column) => {
      const value = values[column];
      const missing = Number.isNaN(value);
      const cell = row.children[1 + column];
      const [fill, text] = /** @type {HTMLElement[]} */ ([...cell.children]);
      setText(text, missing ? nan || "–" : number(value, "4"));
      setAttr(cell, "title", missing ? "" : exactNumber(value));
      setAttr(cell, "data-bar", bar || "");
      if (!bar) return;
      const full = bar === "most" ? largest[column] : 1;
      fill.style.width = `${clamp((100 * Math.abs(value)) / full, 0, 100) || 0}%`;
      setAttr(cell, "data-sign", value < 0 ? "minus" : "plus");
    });
  }
}
