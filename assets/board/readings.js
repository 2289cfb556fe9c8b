/**
 * Sentences with a run's numbers in them: the twin of lessons/board/readings.py, which says what a template may hold.
 *
 * @import { Moment } from "./moment.js"
 */

import { flat } from "./arrays.js";
import { History } from "./history.js";
import { number } from "./numbers.js";

const PLACEHOLDER = /\{(\w+)(?::([^{}|]+))?(?:\|([^{}]+))?\}/g;
const CONDITION = /^\s*\[([^\]]+)\]\s*/;
const MISSING = new Error("a number that a reading asks for is not there");

/** @typedef {{ steps: Int32Array, values: Float64Array }} Series */

/** What a placeholder's word makes of the series it names. */
const WORDS = {
  now: (/** @type {Series} */ { values }) => values[values.length - 1],
  first: (/** @type {Series} */ { values }) => values[0],
  min: (/** @type {Series} */ series) => series.values[extremeIndex(series, 1)],
  max: (/** @type {Series} */ series) => series.values[extremeIndex(series, -1)],
  at_min: (/** @type {Series} */ series) => series.steps[extremeIndex(series, 1)],
  flat: flatSince,
};

/**
 * The sentence that holds at the end of a history; "" where none does.
 *
 * @param {string | undefined} template
 * @param {Moment | [number, Record<string, number>][]} history a moment, or (step, {name: value}) pairs
 * @param {Record<string, string>} [names] labels of scalars
 * @param {Record<string, any>} [say] numbers and words that came with patches
 */
export function reading(template, history, names = {}, say = {}) {
  const moment = Array.isArray(history) ? History.of(history).at(Infinity) : history;
  for (let alternative of (template || "").split(" || ")) {
    const condition = alternative.match(CONDITION);
    if (condition) {
      const value = moment.now(condition[1]);
      if (value === undefined || value === 0) continue; // a NaN counts as there
      alternative = alternative.slice(condition[0].length);
    }
    try {
      return alternative
        .replace(PLACEHOLDER, (_, word, name, form) => fill(word, name || "", form || "", moment, names, say))
        .trim();
    } catch (error) {
      if (error !== MISSING) throw error;
    }
  }
  return "";
}

/**
 * The text of one placeholder, {word:name|form}. Throws MISSING where its number is not there.
 *
 * @param {string} word
 * @param {string} name
 * @param {string} form
 * @param {Moment} moment
 * @param {Record<string, string>} names
 * @param {Record<string, any>} say
 * @returns {string}
 */
function fill(word, name, form, moment, names, say) {
  if (word === "best" || word === "lowest") {
    const [scalar, value] = lowest(name, moment);
    const suffix = scalar.slice(name.length);
    return word === "lowest" ? number(value, form) : names[scalar] || names[suffix] || suffix;
  }
  if (word === "step") {
    if (!moment.n) throw MISSING;
    return number(moment.step, form || "0");
  }
  if (word === "say") {
    if (!(name in say)) throw MISSING;
    return typeof say[name] === "string" ? say[name] : number(flat(say[name])[0], form);
  }
  const series = moment.series(name);
  if (!series || !(word in WORDS)) throw MISSING;
  const value = WORDS[/** @type {keyof typeof WORDS} */ (word)](series);
  return number(value, form || (word === "at_min" || word === "flat" ? "0" : ""));
}

/**
 * The scalar with that prefix that is lowest now, and its value.
 *
 * @param {string} prefix
 * @param {Moment} moment
 * @returns {[string, number]}
 */
function lowest(prefix, moment) {
  let best = null;
  let least = Infinity;
  for (const name of moment.history.columns.keys()) {
    const value = name.startsWith(prefix) ? moment.now(name) : undefined;
    if (value !== undefined && Number.isFinite(value) && value < least) [best, least] = [name, value];
  }
  if (best === null) throw MISSING;
  return [best, least];
}

/**
 * Index of the smallest finite value of `sign * values`.
 *
 * @param {Series} series
 * @param {1 | -1} sign
 */
function extremeIndex({ values }, sign) {
  let index = -1;
  for (let i = 0; i < values.length; i++) {
    if (Number.isFinite(values[i]) && (index < 0 || sign * values[i] < sign * values[index])) index = i;
  }
  if (index < 0) throw MISSING;
  return index;
}

/**
 * The first step from which the value stays within 2 % of its total change of its last value.
 *
 * @param {Series} series
 */
function flatSince({ steps, values }) {
  const end = values.length - 1;
  const tolerance = 0.02 * Math.abs(values[end] - values[0]);
  let since = end + 1;
  while (since > 0 && Math.abs(values[since - 1] - values[end]) <= tolerance) since--;
  if (since >= end || tolerance === 0) throw MISSING;
  return steps[since];
}
