/** The scalars of a run by step, and what was known of them at one moment. */

import { same } from "./arrays.js";
import { clamp } from "./numbers.js";

/** Numbers with their steps, ascending, in buffers that grow. */
class Column {
  constructor() {
    this.n = 0;
    this.steps = new Int32Array(64);
    this.values = new Float64Array(64);
  }

  push(step, value) {
    if (this.n === this.steps.length) {
      const steps = new Int32Array(2 * this.n);
      const values = new Float64Array(2 * this.n);
      steps.set(this.steps);
      values.set(this.values);
      this.steps = steps;
      this.values = values;
    }
    this.steps[this.n] = step;
    this.values[this.n++] = value;
  }

  /** How many entries have a step at or before `step`. */
  upTo(step) {
    let low = 0;
    let high = this.n;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.steps[middle] <= step) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** All scalars of one run. */
export class History {
  constructor() {
    this.rows = new Column(); // every step there is
    this.columns = new Map(); // scalar's name -> Column
  }

  /** A history of (step, {name: value}) pairs. */
  static of(pairs) {
    const history = new History();
    for (const [step, scalars] of pairs) {
      history.append(Object.keys(scalars), [step], Object.values(scalars));
    }
    return history;
  }

  get first() {
    return this.rows.n ? this.rows.steps[0] : -1;
  }

  get last() {
    return this.rows.n ? this.rows.steps[this.rows.n - 1] : -1;
  }

  /** Adds a block, values[i * names.length + j]; steps that are there already are passed over. */
  append(names, steps, values) {
    const columns = names.map((name) => {
      if (!this.columns.has(name)) this.columns.set(name, new Column());
      return this.columns.get(name);
    });
    const width = names.length;
    let last = this.last;
    for (let i = 0; i < steps.length; i++) {
      if (steps[i] <= last) continue;
      last = steps[i];
      this.rows.push(last, last);
      for (let j = 0; j < width; j++) columns[j].push(last, values[i * width + j]);
    }
  }

  /** Adds the groups of one message in the order of their steps: a group holds the steps that share its names. */
  add(groups) {
    if (groups.length === 1) {
      this.append(groups[0].names, groups[0].steps, groups[0].values);
      return;
    }
    const at = groups.map(() => 0);
    for (;;) {
      let next = -1;
      for (let g = 0; g < groups.length; g++) {
        if (at[g] < groups[g].steps.length && (next < 0 || groups[g].steps[at[g]] < groups[next].steps[at[next]]))
          next = g;
      }
      if (next < 0) return;
      const { names, steps, values } = groups[next];
      const i = at[next]++;
      this.append(names, steps.subarray(i, i + 1), values.subarray(i * names.length, (i + 1) * names.length));
    }
  }

  /** Forgets everything after `step`. */
  cut(step) {
    for (const column of [this.rows, ...this.columns.values()]) column.n = column.upTo(step);
  }

  /** The step before or after `step`; `step` itself at an end. */
  beside(step, direction) {
    const n = this.rows.upTo(step);
    const index = direction < 0 ? n - (this.rows.steps[n - 1] === step ? 2 : 1) : n;
    return this.rows.n ? this.rows.steps[clamp(index, 0, this.rows.n - 1)] : step;
  }

  /** What was known at `step`. */
  at(step) {
    return new Past(this, step);
  }
}

/** A history up to a step. */
class Past {
  constructor(history, step) {
    this.history = history;
    this.n = history.rows.upTo(step);
    this.step = this.n ? history.rows.steps[this.n - 1] : -1;
  }

  /** The value of `name` at the last step itself; undefined where there is none. */
  now(name) {
    const column = this.history.columns.get(name);
    const n = column ? column.upTo(this.step) : 0;
    return n && column.steps[n - 1] === this.step ? column.values[n - 1] : undefined;
  }

  /** All values of `name` so far as {steps, values}, or null. */
  series(name) {
    const column = this.history.columns.get(name);
    const n = column ? column.upTo(this.step) : 0;
    return n ? { steps: column.steps.subarray(0, n), values: column.values.subarray(0, n) } : null;
  }

  count(name) {
    const column = this.history.columns.get(name);
    return column ? column.upTo(this.step) : 0;
  }

  /** The arrays that a trace's bindings stand for: attribute -> array. Steps that miss a bound scalar are left out, and
      so are those before `from`. */
  bound(bind, from = 0) {
    const out = {};
    const names = [...new Set(Object.values(bind).filter((one) => typeof one === "string" && one !== "step"))];
    let kept = null; // null: all steps
    if (names.some((name) => this.count(name) !== this.n)) kept = this.common(names);
    for (const [key, source] of Object.entries(bind)) {
      if (Array.isArray(source)) {
        out[key] = source.map((name) => (name === null ? null : (this.now(name) ?? null)));
      } else if (source === "step") {
        out[key] = kept ? kept.steps : this.history.rows.steps.subarray(0, this.n);
      } else {
        const series = this.series(source);
        if (!kept) out[key] = series ? series.values : new Float64Array(0);
        else out[key] = kept.pick(source);
      }
    }
    if (from > 0) {
      const steps = kept ? kept.steps : this.history.rows.steps.subarray(0, this.n);
      let skip = 0;
      while (skip < steps.length && steps[skip] < from) skip++;
      for (const [key, source] of Object.entries(bind)) if (!Array.isArray(source)) out[key] = out[key].subarray(skip);
    }
    return out;
  }

  /** How many scalars there are named `prefix` and a number, counted from 0. */
  many(prefix) {
    let n = 0;
    while (this.history.columns.has(prefix + n)) n++;
    return n;
  }

  /** The scalars `prefix`0, `prefix`1, ... side by side: at (at most `most`) steps the lowest, the quartiles, the highest. */
  spread(prefix, most = 300) {
    const all = Array.from({ length: this.many(prefix) }, (_, k) => this.series(prefix + k)).filter(Boolean);
    const count = all.length ? Math.min(...all.map((one) => one.steps.length)) : 0;
    const out = { x: [], low: [], lower: [], middle: [], upper: [], high: [] };
    for (let i = 0, shown = Math.min(count, most); i < shown; i++) {
      const at = shown < 2 ? 0 : Math.round((i * (count - 1)) / (shown - 1));
      const values = Float64Array.from(all, (one) => one.values[at])
        .filter(Number.isFinite)
        .sort();
      if (!values.length) continue;
      out.x.push(all[0].steps[at]);
      ["low", "lower", "middle", "upper", "high"].forEach((key, quarter) => {
        const place = (quarter / 4) * (values.length - 1);
        const from = values[Math.floor(place)];
        out[key].push(from + (place % 1) * (values[Math.ceil(place)] - from));
      });
    }
    return out;
  }

  /** The steps that have all of `names`. */
  common(names) {
    const all = names.map((name) => this.series(name));
    if (all.some((one) => !one)) return { steps: new Int32Array(0), pick: () => new Float64Array(0) };
    let steps = all[0].steps;
    for (const { steps: other } of all.slice(1)) {
      if (other.length === steps.length && other[0] === steps[0] && same(other, steps)) continue;
      const both = [];
      for (let i = 0, j = 0; i < steps.length && j < other.length;) {
        if (steps[i] === other[j]) (both.push(steps[i]), i++, j++);
        else if (steps[i] < other[j]) i++;
        else j++;
      }
      steps = Int32Array.from(both);
    }
    const pick = (name) => {
      const series = all[names.indexOf(name)];
      if (series.steps.length === steps.length) return series.values;
      const values = new Float64Array(steps.length);
      for (let i = 0, j = 0; i < steps.length; i++) {
        while (series.steps[j] < steps[i]) j++;
        values[i] = series.values[j];
      }
      return values;
    };
    return { steps, pick };
  }
}
