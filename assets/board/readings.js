/** Sentences with numbers of a run in them; the twin of lessons/reading.py. */

import { flat } from "./arrays.js";
import { History } from "./history.js";
import { number } from "./numbers.js";

const PART = /\{(\w+)(?::([^{}|]+))?(?:\|([^{}]+))?\}/g;
const MISSING = new Error("a number that a reading asks for is not there");

/** The sentence that holds at the end of `history` (a Past, or (step, {name: value}) pairs); "" where none does.
    The twin of lessons/reading.py, which says what a template may hold. */
export function reading(template, history, names = {}, say = {}) {
  const past = Array.isArray(history) ? History.of(history).at(Infinity) : history;
  for (let alternative of (template || "").split(" || ")) {
    const condition = alternative.match(/^\s*\[([^\]]+)\]\s*/);
    if (condition) {
      const now = past.now(condition[1]);
      if (now === undefined || now === 0) continue; // a NaN counts as there
      alternative = alternative.slice(condition[0].length);
    }
    try {
      return alternative
        .replace(PART, (_, word, name, form) => fill(word, name || "", form || "", past, names, say))
        .trim();
    } catch (error) {
      if (error !== MISSING) throw error;
    }
  }
  return "";
}

function fill(word, name, form, past, names, say) {
  if (word === "best" || word === "lowest") {
    const [found, value] = lowest(name, past);
    const rest = found.slice(name.length);
    return word === "lowest" ? number(value, form) : names[found] || names[rest] || rest;
  }
  if (word === "step") {
    if (!past.n) throw MISSING;
    return number(past.step, form || "0");
  }
  if (word === "say") {
    if (!(name in say)) throw MISSING;
    return typeof say[name] === "string" ? say[name] : number(flat(say[name])[0], form);
  }
  const series = past.series(name);
  if (!series || !(word in WORDS)) throw MISSING;
  return number(WORDS[word](series), form || (word === "at_min" || word === "flat" ? "0" : ""));
}

/** The scalar with that prefix that is lowest now, and its value. */
function lowest(prefix, past) {
  let found = null;
  let least = Infinity;
  for (const name of past.history.columns.keys()) {
    const value = name.startsWith(prefix) ? past.now(name) : undefined;
    if (Number.isFinite(value) && value < least) [found, least] = [name, value];
  }
  if (found === null) throw MISSING;
  return [found, least];
}

/** Index of the smallest finite value of `sign * values`. */
function extreme({ values }, sign) {
  let at = -1;
  for (let i = 0; i < values.length; i++) {
    if (Number.isFinite(values[i]) && (at < 0 || sign * values[i] < sign * values[at])) at = i;
  }
  if (at < 0) throw MISSING;
  return at;
}

const WORDS = {
  now: ({ values }) => values[values.length - 1],
  first: ({ values }) => values[0],
  min: (series) => series.values[extreme(series, 1)],
  max: (series) => series.values[extreme(series, -1)],
  at_min: (series) => series.steps[extreme(series, 1)],
  flat({ steps, values }) {
    const end = values.length - 1;
    const near = 0.02 * Math.abs(values[end] - values[0]);
    let since = end + 1;
    while (since > 0 && Math.abs(values[since - 1] - values[end]) <= near) since--;
    if (since >= end || near === 0) throw MISSING;
    return steps[since];
  },
};
