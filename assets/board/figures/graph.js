/**
 * Nodes and edges with values, as SVG: a network and what flows through it.
 *
 * @import { GraphEdge, GraphNode, GraphSpec } from "../schema.d.ts"
 * @import { EdgeElements, NodeElements } from "./graph_elements.js"
 * @import { Box } from "./graph_layout.js"
 * @import { Host } from "./host.d.ts"
 */

import { flat } from "../arrays.js";
import { css, inkOn, rampIndex, RAMPS } from "../colors.js";
import { prefersStill, setAttr, svg } from "../dom.js";
import { number } from "../numbers.js";
import { Figure } from "./figure.js";
import { edgeElements, listen, nodeElements, setLines } from "./graph_elements.js";
import { borderPoint, nodeBox, spreadBoxes } from "./graph_layout.js";
import { ValueEditor } from "./value_editor.js";

const RAMP = RAMPS.diverging;

/**
 * What all values have in common in one drawing.
 *
 * @typedef {object} GraphState
 * @property {ArrayLike<number>} values of the nodes
 * @property {ArrayLike<number>} flows of the edges
 * @property {number} largestValue
 * @property {number} largestFlow
 * @property {Set<number>} litNodes indices
 * @property {Set<number>} litEdges
 * @property {unknown} picked
 * @property {boolean} backwards whether what happens goes against the arrows
 * @property {string[] | undefined} marks texts of the edges
 */

/** @extends {Figure<GraphSpec>} */
export class GraphFigure extends Figure {
  /**
   * @param {Host} host
   * @param {GraphSpec} spec
   */
  constructor(host, spec) {
    super(host, spec);
    this.svg = svg("svg", { class: "tr-graph", role: "group" });
    this.edgeLayer = svg("g");
    this.textLayer = svg("g", { class: "tr-marks" });
    this.nodeLayer = svg("g");
    this.svg.append(this.edgeLayer, this.textLayer, this.nodeLayer);
    this.editor = new ValueEditor((name, value) => host.choose({ [this.spec.edits ?? ""]: `${name}=${value}` }));
    this.body.append(this.svg, this.editor.element);
    /** @type {NodeElements[]} */
    this.nodes = [];
    /** @type {EdgeElements[]} */
    this.edges = [];
    /** @type {string | undefined} Name of the node or edge that was picked last. */
    this.picked = undefined;
    /** What was brought into sight last. */
    this.inSight = "";
  }

  /** @param {GraphSpec} spec */
  respec(spec) {
    super.respec(spec);
    for (const { group, text } of this.edges.splice(spec.edges.length)) {
      group.remove();
      text.remove();
    }
    for (const { group } of this.nodes.splice(spec.nodes.length)) group.remove();
    while (this.edges.length < spec.edges.length) this.edges.push(this.addEdge(this.edges.length));
    while (this.nodes.length < spec.nodes.length) this.nodes.push(this.addNode(this.nodes.length));
  }

  /** @param {number} index */
  addEdge(index) {
    const edge = edgeElements();
    this.edgeLayer.append(edge.group);
    this.textLayer.append(edge.text); // above all lines, below the boxes
    const press = () => this.pressEdge(index);
    edge.text.addEventListener("click", press);
    listen(edge.group, press, () => this.edges, index);
    return edge;
  }

  /** @param {number} index */
  addNode(index) {
    const node = nodeElements();
    this.nodeLayer.append(node.group);
    listen(
      node.group,
      () => this.pressNode(index),
      () => this.nodes,
      index,
    );
    return node;
  }

  /** @param {number} index */
  pressNode(index) {
    const node = this.spec.nodes[index];
    if (!this.spec.picks || !node) return;
    const name = node.name || node.id;
    this.pickPart(name, { node: name, name, index, value: flat(this.data.nodes)[index] });
    this.edit(node, this.nodes[index].at);
  }

  /** @param {number} index */
  pressEdge(index) {
    const edge = this.spec.edges[index];
    if (!this.spec.picks || !edge?.name) return;
    const { name } = edge;
    this.pickPart(name, { edge: name, name, index, value: flat(this.data.edges)[index] });
    this.edit(edge, this.edges[index].at);
  }

  /**
   * @param {string} name
   * @param {Record<string, unknown>} event
   */
  pickPart(name, event) {
    this.picked = name;
    this.redraw();
    this.gesture(event);
  }

  /**
   * Lets the reader give another number to what is given, where it stands.
   *
   * @param {GraphNode | GraphEdge} part
   * @param {[number, number] | undefined} at
   */
  edit({ edit = "", asks }, at) {
    const value = this.data.given?.[edit];
    const { editor } = this;
    const editable = this.spec.edits && value !== undefined && value !== null;
    editor.name = editable ? edit : "";
    editor.element.hidden = !editor.name;
    if (!editor.name || !at) return;
    const bounds = { width: this.svg.clientWidth, height: this.body.clientHeight };
    editor.open(edit, asks || edit, Number(value), at, bounds);
  }

  draw() {
    const bounds = { width: this.body.clientWidth, height: this.body.clientHeight };
    if (!bounds.width) return false;
    const { spec, data } = this;
    const state = this.state(data);
    const texts = data.notes || [];
    setAttr(this.svg, "aria-label", spec.alt || spec.title || "");
    const boxes = spec.nodes.map((node, index) => {
      return nodeBox(node, { text: texts[index], values: state.values, index }, bounds);
    });
    const width = spreadBoxes(boxes, Math.max(bounds.width, spec.width || 0));
    this.svg.style.width = `${width}px`;
    setAttr(this.svg, "viewBox", `0 0 ${width} ${bounds.height}`);
    spec.nodes.forEach((node, index) => this.drawNode(node, index, boxes[index], state));
    const byId = new Map(spec.nodes.map((node, index) => [node.id, boxes[index]]));
    spec.edges.forEach((edge, index) => {
      const [from, to] = [byId.get(edge.from), byId.get(edge.to)];
      if (from && to) this.drawEdge(edge, index, [from, to], state);
    });
    this.bringIntoSight([...state.litNodes].map((index) => boxes[index]).filter(Boolean));
    return true;
  }

  /**
   * @param {Record<string, any>} data
   * @returns {GraphState}
   */
  state(data) {
    const [values, flows] = [flat(data.nodes), flat(data.edges)];
    return {
      values,
      flows,
      largestValue: largest(values),
      largestFlow: largest(flows),
      litNodes: new Set(flat(data.lit_nodes)),
      litEdges: new Set(flat(data.lit_edges)),
      picked: data.select ?? this.picked,
      backwards: !!data.back,
      marks: data.marks,
    };
  }

  /**
   * @param {GraphNode} node
   * @param {number} index
   * @param {Box} box
   * @param {GraphState} state
   */
  drawNode(node, index, { x, y, width, height, label, value, notes }, state) {
    const elements = this.nodes[index];
    const { group, box } = elements;
    elements.at = [x, y];
    const number = state.values[index];
    const colored = state.values.length > 0 && Number.isFinite(number);
    const color = colored ? rampIndex(number, -state.largestValue, state.largestValue) : -1;
    setAttr(box, "x", x - width / 2);
    setAttr(box, "y", y - height / 2);
    setAttr(box, "width", width);
    setAttr(box, "height", height);
    box.style.fill = colored ? css(RAMP, color) : "";
    const [r, g, b] = RAMP.subarray(3 * color, 3 * color + 3);
    const ink = colored ? inkOn(r, g, b) : "";
    const top = y - height / 2 + 5 + 7.5;
    setLines(elements.label, [label], x, top, ink);
    setLines(elements.value, [value], x, top + 15, ink);
    setLines(elements.note, notes, x, top + 15 + (value ? 14 : 0), ink);
    group.classList.toggle("tr-picked", state.picked === (node.name || node.id));
    group.classList.toggle("tr-lit", state.litNodes.has(index));
    setAttr(group, "tabindex", this.spec.picks ? 0 : -1);
    setAttr(group, "role", this.spec.picks ? "button" : "img");
    setAttr(group, "aria-label", [label, value, ...notes].filter(Boolean).join(", "));
  }

  /**
   * @param {GraphEdge} edge
   * @param {number} index
   * @param {[Box, Box]} ends
   * @param {GraphState} state
   */
  drawEdge(edge, index, [from, to], state) {
    const { flows, marks } = state;
    const elements = this.edges[index];
    const { text } = elements;
    const [start, end] = [borderPoint(from, to), borderPoint(to, from)];
    const lit = state.litEdges.has(index);
    // on the way back a lit edge points to where the numbers go
    this.drawArrow(elements, state.backwards && lit ? [end, start] : [start, end], [start, end]);
    const flow = flows[index];
    const size = flows.length && Number.isFinite(flow) ? Math.abs(flow) / state.largestFlow : 0;
    const stroke =
      flows.length && Number.isFinite(flow) ? css(RAMP, rampIndex(Math.sign(flow) * (0.35 + 0.65 * size), -1, 1)) : "";
    for (const path of [elements.line, elements.head]) {
      path.style.stroke = stroke;
      path.style.strokeWidth = String(flows.length ? 1 + 3 * size : 1.4);
    }
    const part = edge.at ?? 0.5;
    const at = /** @type {[number, number]} */ ([0, 1].map((axis) => start[axis] + part * (end[axis] - start[axis])));
    elements.at = at;
    const label = [edge.label, flows.length ? number(flow, "3") : ""].filter(Boolean).join(" ");
    const lines = (marks ? marks[index] || "" : label).split("\n");
    setLines(text, lines, at[0], at[1] - (marks ? 6 * (lines.length - 1) : 5));
    this.nameEdge(edge, elements, { lit, picked: state.picked === edge.name, lines });
  }

  /**
   * @param {EdgeElements} elements
   * @param {[[number, number], [number, number]]} arrow from its tail to its tip
   * @param {[[number, number], [number, number]]} line
   */
  drawArrow({ line, broad, head }, [tail, tip], [start, end]) {
    const angle = Math.atan2(tip[1] - tail[1], tip[0] - tail[0]);
    const wing = (/** @type {number} */ turn) =>
      `${tip[0] - 7 * Math.cos(angle + turn)},${tip[1] - 7 * Math.sin(angle + turn)}`;
    setAttr(line, "d", `M${start}L${end}`);
    setAttr(broad, "d", `M${start}L${end}`);
    setAttr(head, "d", `M${wing(0.45)}L${tip}L${wing(-0.45)}`);
  }

  /**
   * What an edge is for those who press it, and for those who do not see it.
   *
   * @param {GraphEdge} edge
   * @param {EdgeElements} elements
   * @param {{ lit: boolean, picked: boolean, lines: string[] }} state
   */
  nameEdge(edge, { group, text }, { lit, picked, lines }) {
    const active = Boolean(this.spec.picks && edge.name);
    for (const element of [group, text]) {
      element.classList.toggle("tr-picked", active && picked);
      element.classList.toggle("tr-lit", lit);
      element.classList.toggle("tr-active", active);
    }
    if (active) {
      setAttr(group, "tabindex", 0);
      setAttr(group, "role", "button");
      setAttr(group, "aria-label", [edge.asks || edge.name, ...lines].join(", "));
      group.removeAttribute("aria-hidden");
    } else group.setAttribute("aria-hidden", "true");
    text.setAttribute("aria-hidden", "true");
  }

  /**
   * Where the figure is wider than its place, scrolls to what happens now; once, for the reader scrolls too.
   *
   * @param {Box[]} boxes
   */
  bringIntoSight(boxes) {
    const key = boxes.map(({ x }) => x).join();
    if (key === this.inSight) return;
    this.inSight = key;
    const left = Math.min(...boxes.map(({ x, width }) => x - width / 2));
    const right = Math.max(...boxes.map(({ x, width }) => x + width / 2));
    const { scrollLeft, clientWidth } = this.body;
    const inSight = left >= scrollLeft && right <= scrollLeft + clientWidth;
    if (!boxes.length || right - left > clientWidth || inSight) return;
    const behavior = prefersStill() ? "auto" : "smooth";
    this.body.scrollTo({ left: (left + right - clientWidth) / 2, behavior });
  }
}

/** @param {ArrayLike<number>} values */
const largest = (values) =>
  Math.max(1e-12, ...Array.from(values, (value) => (Number.isFinite(value) ? Math.abs(value) : 0)));
