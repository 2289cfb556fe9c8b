/** Names and numbers. */

import { isArray } from "../arrays.js";
import { attribute, make, write } from "../dom.js";
import { Figure } from "./figure.js";
import { clamp, exact, number } from "../numbers.js";

export class TableFigure extends Figure {
  setup() {
    this.scroll = make("div", "tr-rows", { tabindex: "0" });
    this.table = make("table", "tr-table");
    this.top = make("tr");
    this.rows = make("tbody");
    this.table.append(make("thead", "", {}, this.top), this.rows);
    this.scroll.append(this.table);
    this.empty = make("p", "tr-empty");
    this.body.append(this.scroll, this.empty);
  }

  respec(spec) {
    super.respec(spec);
    const heads = [spec.head || "", ...spec.columns.map((column) => column.title)];
    this.top.replaceChildren(...heads.map((text) => make("th", "", { scope: "col" }, text)));
    attribute(this.table, "aria-label", spec.alt || spec.title || spec.id);
  }

  sign(past) {
    return this.spec.bind?.length ? [this.board.run?.serial, this.board.run?.cuts, past.step].join() : "";
  }

  /** Names and values: the scalars that the rows are bound to, over them what patches say. */
  get data() {
    const { bind = [], rows = [] } = this.spec;
    if (!bind.length || !this.past?.n) return super.data;
    const values = Float64Array.from(bind.flat(), (name) => this.past.now(name) ?? NaN);
    return { names: rows, values: { values, shape: [rows.length, this.spec.columns.length] }, ...super.data };
  }

  newRow(index) {
    const row = make("tr", "", {}, make("th", "", { scope: "row" }));
    const press = () => {
      if (this.spec.picks) this.pick({ row: index, name: row.firstChild.textContent });
    };
    row.addEventListener("click", press);
    row.addEventListener("keydown", (event) => {
      const move = { ArrowUp: -1, ArrowDown: 1 }[event.key];
      if (event.key === "Enter" || event.key === " ") press();
      else if (move) this.rows.children[clamp(index + move, 0, this.rows.children.length - 1)].focus();
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    return row;
  }

  draw() {
    if (!this.body.clientWidth) return false;
    const { names = [], values, select } = this.data;
    const shown = isArray(values);
    write(this.empty, shown ? "" : this.board.say("no_data"));
    this.scroll.hidden = !shown;
    if (!shown) return true;
    const { columns } = this.spec;
    const width = columns.length;
    while (this.rows.children.length > names.length) this.rows.lastChild.remove();
    while (this.rows.children.length < names.length) this.rows.append(this.newRow(this.rows.children.length));
    const most = columns.map((_, c) =>
      Math.max(1e-12, ...names.map((_, r) => Math.abs(values.values[r * width + c]) || 0)),
    );
    names.forEach((name, r) => {
      const row = this.rows.children[r];
      while (row.children.length > 1 + width) row.lastChild.remove();
      while (row.children.length < 1 + width) row.append(make("td", "", {}, make("i"), make("span")));
      write(row.firstChild, name);
      columns.forEach(({ bar }, c) => {
        const value = values.values[r * width + c];
        const cell = row.children[1 + c];
        write(cell.lastChild, Number.isNaN(value) ? this.spec.nan || "–" : number(value, "4"));
        attribute(cell, "title", Number.isNaN(value) ? "" : exact(value));
        attribute(cell, "data-bar", bar || "");
        if (bar) {
          cell.firstChild.style.width = `${clamp((100 * Math.abs(value)) / (bar === "most" ? most[c] : 1), 0, 100) || 0}%`;
          attribute(cell, "data-sign", value < 0 ? "minus" : "plus");
        }
      });
      attribute(row, "aria-selected", Number(select) === r);
      if (this.spec.picks) attribute(row, "tabindex", 0);
    });
    return true;
  }
}
