/** The axes of a drawn plot. What plotly keeps to itself (_fullLayout, pixel conversions) is read here alone. */

import { clamp } from "../numbers.js";

/** One axis: pixels on it are counted from its left or upper end. */
export class PlotAxis {
  /** @param {any} axis plotly's own */
  constructor(axis) {
    this.axis = axis;
  }

  /** Length in pixels. */
  get length() {
    return /** @type {number} */ (this.axis._length);
  }

  /** Where the axis begins, in pixels from the left or upper edge of the plot. */
  get offset() {
    return /** @type {number} */ (this.axis._offset);
  }

  /**
   * @param {any} value
   * @returns {number}
   */
  toPixel(value) {
    return this.axis.d2p(value);
  }

  /**
   * @param {number} pixel
   * @returns {any} a number, but on an axis of categories or dates
   */
  toValue(pixel) {
    return this.axis.p2d(pixel);
  }
}

/**
 * @param {any} graph the plot's element
 * @param {"x" | "y"} letter
 * @param {string} [name] "x", "x2", ... as a trace names its axis
 */
function axis(graph, letter, name = letter) {
  const plotlyAxis = graph._fullLayout?.[`${letter}axis${name.slice(1)}`];
  return plotlyAxis ? new PlotAxis(plotlyAxis) : null;
}

/**
 * The two axes that a trace lies on, or null before the plot is drawn.
 *
 * @param {any} graph the plot's element
 * @param {{ xaxis?: string, yaxis?: string }} [trace] the plot's first axes unless told
 */
export function axesOf(graph, { xaxis, yaxis } = {}) {
  const [across, up] = [axis(graph, "x", xaxis), axis(graph, "y", yaxis)];
  return across && up ? { across, up } : null;
}

/**
 * Where a pointer is on two axes, in pixels.
 *
 * @param {HTMLElement} graph
 * @param {{ across: PlotAxis, up: PlotAxis }} axes
 * @param {{ clientX: number, clientY: number }} pointer
 * @returns {[number, number]}
 */
export function pointerOn(graph, { across, up }, { clientX, clientY }) {
  const box = graph.getBoundingClientRect();
  return [clientX - box.left - across.offset, clientY - box.top - up.offset];
}

/**
 * The range that the reader has zoomed a trace's linear x axis to, or null.
 *
 * @param {any} graph the plot's element
 * @param {{ xaxis?: string }} trace
 * @returns {[number, number] | null}
 */
export function zoomedRange(graph, trace) {
  const own = axis(graph, "x", trace.xaxis || "x")?.axis;
  return own && own.type === "linear" && own._rangeInitial0 !== undefined && !own.autorange ? own.range : null;
}

/**
 * The values of a plot's first axes where a pointer is, or null beyond their ends.
 *
 * @param {HTMLElement} graph
 * @param {{ clientX: number, clientY: number }} pointer
 * @param {string[]} wanted "x", "y", or both
 * @param {boolean} edge whether beyond an end counts as that end
 * @returns {Record<string, any> | null}
 */
export function valuesAt(graph, pointer, wanted, edge) {
  const axes = axesOf(graph);
  if (!axes) return null;
  const [x, y] = pointerOn(graph, axes, pointer);
  /** @type {Record<string, any>} */
  const values = {};
  for (const { name, axis, at } of [
    { name: "x", axis: axes.across, at: x },
    { name: "y", axis: axes.up, at: y },
  ]) {
    if (!wanted.includes(name)) continue;
    const pixel = edge ? clamp(at, 0, axis.length) : at;
    if (pixel < 0 || pixel > axis.length) return null;
    values[name] = valueOfPixel(axis, pixel);
  }
  return values;
}

/**
 * A value with no more digits than a pixel is worth.
 *
 * @param {PlotAxis} axis
 * @param {number} pixel
 */
function valueOfPixel(axis, pixel) {
  const value = axis.toValue(pixel);
  if (typeof value !== "number") return value;
  const ends = [Math.max(0, pixel - 1), Math.min(axis.length, pixel + 1)].map((end) => axis.toValue(end));
  const grain = Math.abs(ends[1] - ends[0]) / 2 || 1e-6;
  return Number(value.toFixed(clamp(Math.ceil(-Math.log10(grain)), 0, 12)));
}
