/**
 * A history up to one step: what a figure shows of it.
 *
 * @import { Column, History } from "./history.js"
 * @import { Binding } from "./types.d.ts"
 */

import { sameValues } from "./arrays.js";

const QUARTILES = /** @type {const} */ (["low", "lower", "middle", "upper", "high"]);

export class Moment {
  /**
   * @param {History} history
   * @param {number} step
   */
  constructor(history, step) {
    this.history = history;
    /** How many steps there are. */
    this.n = history.rows.upTo(step);
    /** The last step, or -1. */
    this.step = this.n ? history.rows.steps[this.n - 1] : -1;
  }

  /**
   * The value of `name` at the last step itself; undefined where there is none.
   *
   * @param {string} name
   */
  now(name) {
    const column = this.history.columns.get(name);
    const n = column ? column.upTo(this.step) : 0;
    return column && n && column.steps[n - 1] === this.step ? column.values[n - 1] : undefined;
  }

  /**
   * All values of `name` so far, or null.
   *
   * @param {string} name
   */
  series(name) {
    const column = this.history.columns.get(name);
    const n = column ? column.upTo(this.step) : 0;
    return column && n ? { steps: column.steps.subarray(0, n), values: column.values.subarray(0, n) } : null;
  }

  /**
   * How many values of `name` there are so far.
   *
   * @param {string} name
   */
  count(name) {
    const column = this.history.columns.get(name);
    return column ? column.upTo(this.step) : 0;
  }

  /**
   * The arrays that a trace's bindings stand for, by attribute. Steps that miss a bound scalar are left out, and so are
   * those before `from`.
   *
   * @param {Binding} bind
   * @param {number} [from]
   * @returns {Record<string, any>}
   */
  bound(bind, from = 0) {
    /** @type {Record<string, any>} */
    const arrays = {};
    const sources = Object.values(bind).filter((source) => typeof source === "string" && source !== "step");
    const names = /** @type {string[]} */ ([...new Set(sources)]);
    // null: every step has all of them
    const common = names.some((name) => this.count(name) !== this.n) ? this.common(names) : null;
    const steps = common ? common.steps : this.history.rows.steps.subarray(0, this.n);
    for (const [attribute, source] of Object.entries(bind)) {
      if (Array.isArray(source)) {
        arrays[attribute] = source.map((name) => (name === null ? null : (this.now(name) ?? null)));
      } else if (source === "step") arrays[attribute] = steps;
      else if (common) arrays[attribute] = common.pick(source);
      else arrays[attribute] = this.series(source)?.values ?? new Float64Array(0);
    }
    if (from > 0) {
      let skip = 0;
      while (skip < steps.length && steps[skip] < from) skip++;
      for (const [attribute, source] of Object.entries(bind)) {
        if (!Array.isArray(source)) arrays[attribute] = arrays[attribute].subarray(skip);
      }
    }
    return arrays;
  }

  /**
   * How many scalars there are named `prefix` and a number, counted from 0.
   *
   * @param {string} prefix
   */
  countSeries(prefix) {
    let n = 0;
    while (this.history.columns.has(prefix + n)) n++;
    return n;
  }

  /**
   * The scalars `prefix`0, `prefix`1, ... side by side: lowest, quartiles and highest, at most at `limit` steps.
   *
   * @param {string} prefix
   * @param {number} [limit]
   */
  quartiles(prefix, limit = 300) {
    const series = Array.from({ length: this.countSeries(prefix) }, (_, k) => this.series(prefix + k)).filter(
      (column) => column !== null,
    );
    const count = series.length ? Math.min(...series.map((column) => column.steps.length)) : 0;
    /** @type {Record<"x" | "low" | "lower" | "middle" | "upper" | "high", number[]>} */
    const band = { x: [], low: [], lower: [], middle: [], upper: [], high: [] };
    for (let i = 0, shown = Math.min(count, limit); i < shown; i++) {
      const index = shown < 2 ? 0 : Math.round((i * (count - 1)) / (shown - 1));
      const sorted = Float64Array.from(series, (column) => column.values[index])
        .filter(Number.isFinite)
        .sort();
      if (!sorted.length) continue;
      band.x.push(series[0].steps[index]);
      QUARTILES.forEach((key, quarter) => {
        const position = (quarter / 4) * (sorted.length - 1);
        const below = sorted[Math.floor(position)];
        band[key].push(below + (position % 1) * (sorted[Math.ceil(position)] - below));
      });
    }
    return band;
  }

  /**
   * The steps that have all of `names`, and how to pick one scalar's values at them.
   *
   * @param {string[]} names
   */
  common(names) {
    const series = names.map((name) => this.series(name)).filter((column) => column !== null);
    if (series.length < names.length) return { steps: new Int32Array(0), pick: () => new Float64Array(0) };
    let steps = series[0].steps;
    for (const { steps: other } of series.slice(1)) {
      if (!sameValues(other, steps)) steps = intersection(steps, other);
    }
    /** @param {string} name */
    const pick = (name) => {
      const column = series[names.indexOf(name)];
      if (column.steps.length === steps.length) return column.values;
      const values = new Float64Array(steps.length);
      for (let i = 0, j = 0; i < steps.length; i++) {
        while (column.steps[j] < steps[i]) j++;
        values[i] = column.values[j];
      }
      return values;
    };
    return { steps, pick };
  }
}

/**
 * The steps that two ascending lists share.
 *
 * @param {Int32Array} a
 * @param {Int32Array} b
 */
function intersection(a, b) {
  const shared = [];
  for (let i = 0, j = 0; i < a.length && j < b.length;) {
    if (a[i] === b[j]) {
      shared.push(a[i]);
      i++;
      j++;
    } else if (a[i] < b[j]) i++;
    else j++;
  }
  return Int32Array.from(shared);
}
