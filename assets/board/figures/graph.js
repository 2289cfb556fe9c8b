/** Boxes and arrows. */

import { flat } from "../arrays.js";
import { RAMPS, css, light, place } from "../colors.js";
import { attribute, make, still, svg, write } from "../dom.js";
import { Figure } from "./figure.js";
import { clamp, number } from "../numbers.js";

export class GraphFigure extends Figure {
  setup() {
    this.svg = svg("svg", { class: "tr-graph", role: "group" });
    this.lines = svg("g");
    this.spots = svg("g");
    this.marks = svg("g", { class: "tr-marks" });
    this.svg.append(this.lines, this.marks, this.spots);
    this.field = make("input", "", { type: "text", inputmode: "decimal", size: "8", autocomplete: "off" });
    this.asked = make("span");
    this.editor = make("label", "tr-edit", { hidden: "" }, this.asked, this.field);
    this.field.addEventListener("change", () => this.edited());
    this.field.addEventListener("blur", () => this.shut());
    this.field.addEventListener("keydown", (event) => {
      event.stopPropagation(); // the player's keys are letters and arrows too
      if (event.key === "Escape") this.field.value = this.before;
      if (event.key === "Escape" || event.key === "Enter") this.field.blur();
    });
    this.body.append(this.svg, this.editor);
    this.nodes = [];
    this.edges = [];
  }

  respec(spec) {
    super.respec(spec);
    while (this.edges.length > spec.edges.length) {
      const { group, text } = this.edges.pop();
      group.remove();
      text.remove();
    }
    while (this.nodes.length > spec.nodes.length) this.nodes.pop().group.remove();
    while (this.edges.length < spec.edges.length) this.edges.push(this.newEdge(this.edges.length));
    while (this.nodes.length < spec.nodes.length) this.nodes.push(this.newNode(this.nodes.length));
  }

  newEdge(index) {
    const edge = {
      group: svg("g", { class: "tr-edge" }),
      broad: svg("path", { class: "tr-broad" }),
      line: svg("path"),
      head: svg("path"),
      text: svg("text"),
    };
    edge.group.append(edge.broad, edge.line, edge.head);
    this.lines.append(edge.group);
    this.marks.append(edge.text); // above all lines, below the boxes
    const press = () => this.press("edge", index);
    edge.text.addEventListener("click", press);
    this.pressed(edge.group, press, () => this.edges, index);
    return edge;
  }

  newNode(index) {
    const node = {
      group: svg("g", { class: "tr-node" }),
      box: svg("rect", { rx: 8 }),
      label: svg("text"),
      value: svg("text"),
      note: svg("text"),
    };
    node.label.classList.add("tr-label");
    node.value.classList.add("tr-value");
    node.note.classList.add("tr-note");
    node.group.append(node.box, node.label, node.value, node.note);
    this.spots.append(node.group);
    this.pressed(
      node.group,
      () => this.press("node", index),
      () => this.nodes,
      index,
    );
    return node;
  }

  /** Mouse and keys on a node or an edge; arrows go to the next one. */
  pressed(group, press, all, index) {
    group.addEventListener("click", press);
    group.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") {
        press();
      } else if (event.key.startsWith("Arrow")) {
        const step = event.key === "ArrowLeft" || event.key === "ArrowUp" ? -1 : 1;
        const list = all();
        list[(index + step + list.length) % list.length].group.focus();
      } else return;
      event.preventDefault();
      event.stopPropagation();
    });
  }

  press(kind, index) {
    const one = this.spec[`${kind}s`][index];
    if (!this.spec.picks || !one || (kind === "edge" && !one.name)) return;
    const id = one.name || one.id;
    this.picked = id;
    this.dirty = true;
    this.board.schedule();
    this.pick({ [kind]: id, name: id, index, value: flat(this.data[`${kind}s`])[index] });
    this.open(one, this[`${kind}s`][index]);
  }

  // another number for something that is given: typed where it stands

  open(one, { at }) {
    const now = this.data.given?.[one.edit];
    this.editing = this.spec.edits && now !== undefined && now !== null ? one.edit : "";
    this.editor.hidden = !this.editing;
    if (!this.editing || !at) return;
    write(this.asked, `${one.asks || one.edit} =`);
    this.field.value = this.before = String(Number(Number(now).toPrecision(6)));
    this.field.setAttribute("aria-label", `${one.asks || one.edit} =`);
    this.field.setAttribute("aria-invalid", "false");
    const wide = this.editor.offsetWidth;
    this.editor.style.left = `${clamp(at[0] - wide / 2, 2, this.svg.clientWidth - wide - 2)}px`;
    this.editor.style.top = `${clamp(at[1] + 8, 2, this.body.clientHeight - this.editor.offsetHeight - 2)}px`;
    this.field.focus({ preventScroll: true });
    this.field.select();
  }

  edited() {
    const text = this.field.value.trim().replace("−", "-").replace(",", ".");
    const value = text === "" ? NaN : Number(text);
    this.field.setAttribute("aria-invalid", String(!Number.isFinite(value)));
    if (Number.isFinite(value) && this.editing && text !== this.before)
      this.board.choose({ [this.spec.edits]: `${this.editing}=${value}` });
  }

  shut() {
    this.editor.hidden = true;
  }

  draw() {
    const height = this.body.clientHeight;
    if (!this.body.clientWidth) return false;
    const { spec, data } = this;
    const values = flat(data.nodes);
    const flows = flat(data.edges);
    const notes = data.notes || [];
    const lit = { node: new Set(flat(data.lit_nodes)), edge: new Set(flat(data.lit_edges)) };
    const top = (list) => Math.max(1e-12, ...Array.from(list, (one) => (Number.isFinite(one) ? Math.abs(one) : 0)));
    const [most, strongest] = [top(values), top(flows)];
    const table = RAMPS.diverging;
    const picked = data.select ?? this.picked;
    attribute(this.svg, "aria-label", spec.alt || spec.title || "");
    const boxes = new Map();
    spec.nodes.forEach((node, i) => {
      const [value, ...rest] =
        notes[i] !== undefined ? notes[i].split("\n") : [values.length ? number(values[i], "3") : "", node.note || ""];
      const lines = [node.label || node.id, value, rest.filter(Boolean)];
      const widths = [
        ...lines.slice(0, 2).map((line) => columns(line) * 7),
        ...lines[2].map((line) => columns(line) * 5.6),
      ];
      const wide = clamp(Math.max(...widths) + 16, 34, 0.4 * this.body.clientWidth);
      const tall = 10 + 15 * (1 + (value || values.length ? 1 : 0)) + 12 * lines[2].length;
      boxes.set(node.id, {
        part: node.x,
        y: clamp(node.y * height, tall / 2 + 2, height - tall / 2 - 2),
        wide,
        tall,
        lines,
      });
    });
    const width = this.room([...boxes.values()]);
    for (const box of boxes.values()) box.x = clamp(box.part * width, box.wide / 2 + 2, width - box.wide / 2 - 2);
    this.svg.style.width = `${width}px`;
    attribute(this.svg, "viewBox", `0 0 ${width} ${height}`);
    spec.nodes.forEach((node, i) => {
      const { group, box, label, value, note } = this.nodes[i];
      const { x, y, wide, tall, lines } = boxes.get(node.id);
      this.nodes[i].at = [x, y];
      const colour = values.length && Number.isFinite(values[i]) ? place(values[i], -most, most) : -1;
      for (const [key, one] of Object.entries({ x: x - wide / 2, y: y - tall / 2, width: wide, height: tall }))
        attribute(box, key, one);
      box.style.fill = colour < 0 ? "" : css(table, colour);
      const ink = colour < 0 ? "" : light(...table.subarray(3 * colour, 3 * colour + 3)) ? "#10202e" : "#ffffff";
      let line = y - tall / 2 + 5 + 7.5;
      [label, value, note].forEach((text, at) => {
        stacked(text, at === 2 ? lines[2] : [lines[at]], x, line, 12);
        text.style.fill = ink;
        if (lines[at]) line += at === 1 ? 14 : 15;
      });
      group.classList.toggle("tr-picked", picked === (node.name || node.id));
      group.classList.toggle("tr-lit", lit.node.has(i));
      attribute(group, "tabindex", spec.picks ? 0 : -1);
      attribute(group, "role", spec.picks ? "button" : "img");
      attribute(group, "aria-label", lines.flat().filter(Boolean).join(", "));
    });
    spec.edges.forEach((edge, i) => {
      const { group, broad, line, head, text } = this.edges[i];
      const [a, b] = [boxes.get(edge.from), boxes.get(edge.to)];
      if (!a || !b) return;
      const [start, end] = [border(a, b), border(b, a)];
      const size = flows.length && Number.isFinite(flows[i]) ? Math.abs(flows[i]) / strongest : 0;
      const part = edge.at ?? 0.5;
      const middle = [start[0] + part * (end[0] - start[0]), start[1] + part * (end[1] - start[1])];
      this.edges[i].at = middle;
      // on the way back a lit edge points to where the numbers go
      const [tail, tip] = data.back && lit.edge.has(i) ? [end, start] : [start, end];
      const angle = Math.atan2(tip[1] - tail[1], tip[0] - tail[0]);
      const wing = (turn) => `${tip[0] - 7 * Math.cos(angle + turn)},${tip[1] - 7 * Math.sin(angle + turn)}`;
      attribute(line, "d", `M${start}L${end}`);
      attribute(broad, "d", `M${start}L${end}`);
      attribute(head, "d", `M${wing(0.45)}L${tip}L${wing(-0.45)}`);
      const colour =
        flows.length && Number.isFinite(flows[i])
          ? css(table, place(Math.sign(flows[i]) * (0.35 + 0.65 * size), -1, 1))
          : "";
      for (const path of [line, head]) {
        path.style.stroke = colour;
        path.style.strokeWidth = flows.length ? 1 + 3 * size : 1.4;
      }
      const said = data.marks
        ? data.marks[i] || ""
        : [edge.label, flows.length ? number(flows[i], "3") : ""].filter(Boolean).join(" ");
      const lines = said.split("\n");
      stacked(text, lines, middle[0], middle[1] - (data.marks ? 6 * (lines.length - 1) : 5), 12);
      const active = Boolean(spec.picks && edge.name);
      for (const one of [group, text]) {
        one.classList.toggle("tr-picked", active && picked === edge.name);
        one.classList.toggle("tr-lit", lit.edge.has(i));
        one.classList.toggle("tr-active", active);
      }
      if (active) {
        attribute(group, "tabindex", 0);
        attribute(group, "role", "button");
        attribute(group, "aria-label", [edge.asks || edge.name, ...lines].join(", "));
        group.removeAttribute("aria-hidden");
      } else group.setAttribute("aria-hidden", "true");
      text.setAttribute("aria-hidden", "true");
    });
    this.follow([...lit.node].map((i) => boxes.get(spec.nodes[i]?.id)).filter(Boolean));
    return true;
  }

  /** Where the figure is wider than its place, what happens now comes into sight; once, for the reader scrolls too. */
  follow(boxes) {
    const key = boxes.map(({ x }) => x).join();
    if (key === this.followed) return;
    this.followed = key;
    const [left, right] = [
      Math.min(...boxes.map(({ x, wide }) => x - wide / 2)),
      Math.max(...boxes.map(({ x, wide }) => x + wide / 2)),
    ];
    const { scrollLeft, clientWidth } = this.body;
    if (!boxes.length || right - left > clientWidth || (left >= scrollLeft && right <= scrollLeft + clientWidth))
      return;
    this.body.scrollTo({ left: (left + right - clientWidth) / 2, behavior: still() ? "auto" : "smooth" });
  }

  /** The width at which no box lies on its neighbour: the figure's own, or more on a phone, which then scrolls. */
  room(boxes) {
    let width = Math.max(this.body.clientWidth, this.spec.width || 0);
    for (const a of boxes) {
      for (const b of boxes) {
        const apart = b.part - a.part;
        if (apart > 0 && Math.abs(a.y - b.y) < (a.tall + b.tall) / 2)
          width = Math.max(width, Math.ceil(((a.wide + b.wide) / 2 + 6) / apart));
      }
    }
    return width;
  }
}

/** Lines of text under each other in one SVG text, the first of them at (x, y). */
function stacked(text, lines, x, y, gap) {
  if (lines.length < 2) {
    write(text, lines[0] ?? "");
  } else {
    while (text.childElementCount > lines.length) text.lastChild.remove();
    if (text.childElementCount < lines.length) text.replaceChildren(...lines.map(() => svg("tspan")));
    lines.forEach((line, i) => {
      const span = text.children[i];
      write(span, line);
      attribute(span, "x", x);
      attribute(span, "y", y + gap * i);
    });
  }
  attribute(text, "x", x);
  attribute(text, "y", y);
}

/** Width of a text in columns of a Latin letter: a Chinese character is about two. */
const columns = (text) => Array.from(text).reduce((sum, letter) => sum + (letter > "\u2e7f" ? 1.75 : 1), 0);

/** Where the line from box `a` to box `b` leaves `a`. */
function border(a, b) {
  const dx = b.x - a.x || 1e-9;
  const dy = b.y - a.y || 1e-9;
  const part = Math.min(Math.abs((a.wide / 2 + 1) / dx), Math.abs((a.tall / 2 + 1) / dy), 0.49);
  return [a.x + part * dx, a.y + part * dy];
}
