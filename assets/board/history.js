/**
 * The scalars of one run by step.
 *
 * @import { ScalarBlock } from "./types.d.ts"
 */

import { Moment } from "./moment.js";
import { clamp } from "./numbers.js";

/** Values of one scalar with their steps, ascending, in buffers that grow. */
export class Column {
  constructor() {
    this.n = 0;
    this.steps = new Int32Array(64);
    this.values = new Float64Array(64);
  }

  /**
   * @param {number} step
   * @param {number} value
   */
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

  /**
   * How many entries have a step at or before `step`.
   *
   * @param {number} step
   */
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
    /** Every step there is. */
    this.rows = new Column();
    /** @type {Map<string, Column>} */
    this.columns = new Map();
  }

  /**
   * A history of (step, {name: value}) pairs.
   *
   * @param {[number, Record<string, number>][]} pairs
   */
  static of(pairs) {
    const history = new History();
    for (const [step, scalars] of pairs) history.append(Object.keys(scalars), [step], Object.values(scalars));
    return history;
  }

  /** The first step, or -1. */
  get first() {
    return this.rows.n ? this.rows.steps[0] : -1;
  }

  /** The last step, or -1. */
  get last() {
    return this.rows.n ? this.rows.steps[this.rows.n - 1] : -1;
  }

  /**
   * Adds a block, values[i * names.length + j]; steps that are there already are passed over.
   *
   * @param {string[]} names
   * @param {ArrayLike<number>} steps
   * @param {ArrayLike<number>} values
   */
  append(names, steps, values) {
    const columns = names.map((name) => this.column(name));
    const width = names.length;
    let last = this.last;
    for (let i = 0; i < steps.length; i++) {
      if (steps[i] <= last) continue;
      last = steps[i];
      this.rows.push(last, last);
      for (let j = 0; j < width; j++) columns[j].push(last, values[i * width + j]);
    }
  }

  /**
   * The column of a name, made where there is none.
   *
   * @param {string} name
   */
  column(name) {
    let column = this.columns.get(name);
    if (!column) this.columns.set(name, (column = new Column()));
    return column;
  }

  /**
   * Adds the blocks of one message in the order of their steps.
   *
   * @param {ScalarBlock[]} blocks
   */
  add(blocks) {
    if (blocks.length === 1) {
      this.append(blocks[0].names, blocks[0].steps, blocks[0].values);
      return;
    }
    const positions = blocks.map(() => 0);
    const head = (/** @type {number} */ index) => blocks[index].steps[positions[index]];
    for (;;) {
      let next = -1;
      for (let index = 0; index < blocks.length; index++) {
        if (positions[index] < blocks[index].steps.length && (next < 0 || head(index) < head(next))) next = index;
      }
      if (next < 0) return;
      const { names, steps, values } = blocks[next];
      const i = positions[next]++;
      this.append(names, steps.subarray(i, i + 1), values.subarray(i * names.length, (i + 1) * names.length));
    }
  }

  /**
   * Forgets everything after `step`.
   *
   * @param {number} step
   */
  truncate(step) {
    for (const column of [this.rows, ...this.columns.values()]) column.n = column.upTo(step);
  }

  /**
   * The step before (direction -1) or after (1) `step`; at an end, the step at that end.
   *
   * @param {number} step
   * @param {number} direction
   */
  neighbour(step, direction) {
    const n = this.rows.upTo(step);
    const index = direction < 0 ? n - (this.rows.steps[n - 1] === step ? 2 : 1) : n;
    return this.rows.n ? this.rows.steps[clamp(index, 0, this.rows.n - 1)] : step;
  }

  /**
   * The last step at or before `step`, the first where there is none.
   *
   * @param {number} step
   */
  floor(step) {
    const n = this.rows.upTo(step);
    return n ? this.rows.steps[n - 1] : this.first;
  }

  /**
   * What was known at `step`.
   *
   * @param {number} step
   */
  at(step) {
    return new Moment(this, step);
  }
}
