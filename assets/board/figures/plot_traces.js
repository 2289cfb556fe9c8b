/**
 * The traces of a plot as plotly takes them.
 *
 * @import { Theme, TraceSpec } from "../types.d.ts"
 */

import { themed } from "../theme.js";

/** What a trace of a spec may have that is not plotly's. */
const OWN_KEYS = new Set(["bind", "hold", "band", "first", "draw", "key"]);

/**
 * A trace's own attributes in the theme's colours. Arrays stay the same objects, so that plotly sees what is new.
 *
 * @param {TraceSpec} spec
 * @param {Theme} theme
 * @returns {Record<string, any>}
 */
export function baseTrace(spec, theme) {
  return themed(Object.fromEntries(Object.entries(spec).filter(([key]) => !OWN_KEYS.has(key))), theme);
}

/**
 * Sets "marker.size" as plotly means it (`set_attribute` of lessons/board/fold.py); what other objects share stays as
 * it is.
 *
 * @param {Record<string, any>} trace
 * @param {string} path
 * @param {any} value
 */
export function setAttribute(trace, path, value) {
  const parts = path.split(".");
  const last = /** @type {string} */ (parts.pop());
  let target = trace;
  for (const part of parts) target = target[part] = { ...(target[part] || {}) };
  target[last] = value;
}

/**
 * Whether no trace has a point that can be drawn: axes alone say nothing.
 *
 * @param {Record<string, any>[]} traces
 */
export function isBlank(traces) {
  /** @param {any} value */
  const isShown = (value) => typeof value === "string" || (value !== null && Number.isFinite(Number(value)));
  return !traces.some(({ type = "scatter", x, y, opacity, marker }) => {
    if (!/^(scatter|bar)$/.test(type) || !y) return true;
    /**
     * @param {any} value
     * @param {number} i
     */
    const isPoint = (value, i) => isShown(value) && (!x || isShown(x[i])) && marker?.size?.[i] !== 0;
    return opacity !== 0 && Array.prototype.some.call(y, isPoint);
  });
}
