/* Torchroom's board: figures that follow a run, and the player under them. One component for every lesson.

   It is an ES module without libraries, but for plotly, which is loaded when a plot first needs it. What a board
   shows comes as a spec (lessons/board.py); what moves it comes over one websocket (engine/wire.py). From top to
   bottom: the wire, history, readings, colours, the figures and their six kinds, frames, the connection, the
   playhead, the dock with the player, the box for a text, and the board that holds them together. */

const ENDED = new Set(["done", "stopped", "failed", "recorded"]);
const ACTIVE = new Set(["running", "paused", "queued"]);
const CACHE = 64 << 20; // bytes of frames kept
const REPLAY = 6; // seconds that a replay takes at speed 1,
const WATCHED = 10; // unless the run was paced at so many steps a second or fewer: each of them is to be seen
const FAST = 0.4; // part of a run that arrives within its first second if it is to be replayed instead of followed
const POINTS = 4000; // points of a line beyond which it is thinned, unless a narrower plot can show even fewer
const PLOT_PAUSE = 100; // ms between two drawings of one plot, at least
const DRAWING = 14; // ms of an animation frame after which the other figures wait for the next one
const ASKING = 200; // ms between two questions of one kind
const SPEEDS = [0.25, 0.5, 1, 2, 4, 8];
const PALE = 0.38; // opacity of the original beside its fork
const PICTURE = 100; // ms that a new run's first numbers wait for the picture that belongs to them
const BEHIND = 40; // ms that further numbers of a run wait for theirs
const HEARD = 700; // ms after which the page hears of a text even if nothing of its run is drawn yet
const LONG = 40000; // characters of a message that the server would not read
const REACH = 36; // pixels from a free handle within which it is picked up
const LINGER = 1000; // ms a board lives on after it was taken off the page: Streamlit may put it back

const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

/** An element with a class, attributes and children; text is never parsed as HTML. */
function make(tag, name = "", attributes = {}, ...children) {
  const element = document.createElement(tag);
  if (name) element.className = name;
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

function svg(tag, attributes = {}) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

/** Sets a text only where it differs, so that nothing is laid out again for nothing. */
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function attribute(element, name, value) {
  if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}

// ---------------------------------------------------------------------------------------------------- the wire

const VIEWS = {
  uint8: Uint8Array, int8: Int8Array, bool: Uint8Array, int32: Int32Array, int64: BigInt64Array,
  float16: Uint16Array, float32: Float32Array, float64: Float64Array,
};

/** A message as {header, arrays}; an array is {values, shape}, a view of the message wherever its kind allows. */
export function decode(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const body = Math.ceil((4 + length) / 8) * 8;
  const arrays = {};
  for (const { name, dtype, shape, at } of header.arrays) {
    const count = shape.reduce((product, n) => product * n, 1);
    let values = new VIEWS[dtype](buffer, body + at, count);
    if (dtype === "float16") values = Float32Array.from(values, half);
    if (dtype === "int64") values = Float64Array.from(values, Number);
    arrays[name] = { values, shape };
  }
  delete header.arrays;
  return { header, arrays };
}

/** The number that 16 bits stand for. */
function half(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -14 * (fraction / 1024));
}

/** Patches with each {"$": name} replaced by its array. */
function resolved(value, arrays) {
  if (Array.isArray(value)) return value.map((one) => resolved(one, arrays));
  if (value === null || typeof value !== "object") return value;
  if (typeof value.$ === "string") return arrays[value.$];
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, resolved(one, arrays)]));
}

const isArray = (value) => value !== null && typeof value === "object" && ArrayBuffer.isView(value.values);

/** Whether two patches' data, or parts of them, say the same. */
function alike(one, other) {
  if (one === other) return true;
  if (one === null || other === null || typeof one !== "object" || typeof other !== "object") return false;
  if (ArrayBuffer.isView(one)) {
    if (one.constructor !== other.constructor || one.length !== other.length) return false;
    for (let i = 0; i < one.length; i++) if (one[i] !== other[i] && (one[i] === one[i] || other[i] === other[i])) return false;
    return true; // NaN is NaN again
  }
  const keys = Object.keys(one);
  return keys.length === Object.keys(other).length && keys.every((key) => key in other && alike(one[key], other[key]));
}

/** An array as plotly takes it: typed for one axis, rows of typed arrays for two, and so on. */
function nested(value) {
  if (!isArray(value)) return value;
  const { values, shape } = value;
  if (shape.length === 0) return values[0];
  if (shape.length === 1) return values;
  const size = values.length / shape[0];
  const rows = [];
  for (let i = 0; i < shape[0]; i++) {
    rows.push(nested({ values: values.subarray(i * size, (i + 1) * size), shape: shape.slice(1) }));
  }
  return rows;
}

/** A flat list of whatever came: array, list or single number. */
function flat(value) {
  if (value === undefined || value === null) return [];
  if (isArray(value)) return value.values;
  return Array.isArray(value) ? value : [value];
}

// ------------------------------------------------------------------------------------------------------ history

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
        if (at[g] < groups[g].steps.length && (next < 0 || groups[g].steps[at[g]] < groups[next].steps[at[next]])) next = g;
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
        out[key] = source.map((name) => (name === null ? null : this.now(name) ?? null));
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
      const values = Float64Array.from(all, (one) => one.values[at]).filter(Number.isFinite).sort();
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
      for (let i = 0, j = 0; i < steps.length && j < other.length; ) {
        if (steps[i] === other[j]) both.push(steps[i]), i++, j++;
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

function same(one, other) {
  for (let i = 0; i < one.length; i++) if (one[i] !== other[i]) return false;
  return true;
}

// ----------------------------------------------------------------------------------------------------- readings

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
      return alternative.replace(PART, (_, word, name, form) => fill(word, name || "", form || "", past, names, say)).trim();
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

/** A number as lessons/reading.py writes it: "%" one decimal of a percent, "0" whole, "4" significant digits. */
export function number(value, form = "") {
  const [mantissa, exponent] = plain(value, form).replaceAll("-", "−").split("e");
  return exponent ? `${mantissa}×10${exponent.replace(/./g, (sign) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["−0123456789".indexOf(sign)])}` : mantissa;
}

function plain(value, form) {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value > 0 ? "∞" : "−∞";
  if (form === "%") return `${even(100 * value, 1, "toFixed")} %`;
  if (form === "0") return whole(value);
  const digits = Number(form || 3);
  const short = even(value, digits - 1, "toExponential");
  const rounded = Number(short);
  if (rounded === 0) return "0";
  const size = Math.abs(rounded);
  if (1e-4 <= size && size < 1e6) {
    if (size >= 10 ** digits || Number.isInteger(rounded)) return whole(rounded);
    return bare(rounded.toFixed(Math.max(0, digits - 1 - Number(short.split("e")[1]))));
  }
  const [mantissa, exponent] = short.split("e");
  return `${bare(mantissa)}e${Number(exponent)}`;
}

const bare = (text) => (text.includes(".") ? text.replace(/0+$/, "").replace(/\.$/, "") : text);
const whole = (value) => even(value, 0, "toFixed").replace(/^-0$/, "0");

/** toFixed or toExponential, but a tie goes to the even digit, as in Python. */
function even(value, digits, how) {
  if (how === "toFixed" && Math.abs(value) >= 1e21) return String(BigInt(value)) + (digits ? "." + "0".repeat(digits) : "");
  const text = value[how](digits);
  const [mantissa, exponent = ""] = text.split("e");
  const [exact] = value[how](digits + 22).split("e");
  const tie = exact.endsWith("5" + "0".repeat(21));
  const last = Number(mantissa.at(-1));
  if (!tie || last % 2 === 0) return text;
  return mantissa.slice(0, -1) + (last - 1) + (exponent && `e${exponent}`);
}

// ------------------------------------------------------------------------------------------------------ colours

const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

/** 256 colours between evenly spaced ones, as bytes r, g, b. */
function ramp(stops) {
  const colours = stops.map(rgb);
  const table = new Uint8Array(256 * 3);
  for (let i = 0; i < 256; i++) {
    const at = (i / 255) * (colours.length - 1);
    const low = Math.min(Math.floor(at), colours.length - 2);
    for (let c = 0; c < 3; c++) {
      table[3 * i + c] = Math.round(colours[low][c] + (at - low) * (colours[low + 1][c] - colours[low][c]));
    }
  }
  return table;
}

const RAMPS = {
  // viridis, equal steps of it
  sequential: ramp(["#440154", "#481a6c", "#472f7d", "#414487", "#39568c", "#31688e", "#2a788e", "#23888e", "#1f988b",
    "#22a884", "#35b779", "#54c568", "#7ad151", "#a5db36", "#d2e21b", "#fde725"]),
  // orange below zero, white at it, blue above
  diverging: ramp(["#9a4a06", "#c96a0f", "#e89a4a", "#f6cfa3", "#ffffff", "#b5d3f0", "#6aaae2", "#2f86d6", "#14548f"]),
};

const css = (table, index) => `rgb(${table[3 * index]},${table[3 * index + 1]},${table[3 * index + 2]})`;
const gradient = (table) => `linear-gradient(90deg,${[0, 32, 64, 96, 128, 160, 192, 224, 255].map((i) => css(table, i))})`;
const RED = "#d1495b"; // what is struck out
const light = (r, g, b) => 0.299 * r + 0.587 * g + 0.114 * b > 140;

/** Where a value lies on a ramp, 0 to 255. */
const place = (value, low, high) => clamp(Math.round((255 * (value - low)) / (high - low || 1)), 0, 255);

/** The colours in force, from the --st-* variables that Streamlit sets around a component. */
function themeOf(element) {
  const style = getComputedStyle(element);
  const read = (name, other) => style.getPropertyValue(name).trim() || other;
  const theme = {
    text: read("--st-text-color", "#1f2a37"),
    background: read("--st-background-color", "#ffffff"),
    second: read("--st-secondary-background-color", "#f3f6f9"),
    border: read("--st-border-color", "#d9e0e8"),
    primary: read("--st-primary-color", "#1f6fba"),
    font: read("--st-font", "sans-serif"),
    variable: (name) => read(name, "#7a7a7a"),
  };
  const probe = theme.background.match(/^#[0-9a-f]{6}$/i) ? rgb(theme.background) : (theme.background.match(/\d+/g) || [255, 255, 255]).map(Number);
  theme.dark = !light(...probe);
  theme.key = [theme.text, theme.background, theme.border, theme.font].join("|");
  return theme;
}

/** A value with each "var(--st-…)" in it replaced: canvases and plotly know no variables. */
function themed(value, theme) {
  if (typeof value === "string") {
    const found = value.match(/^var\((--[\w-]+)\)$/);
    return found ? theme.variable(found[1]) : value;
  }
  if (Array.isArray(value)) {
    // long lists are numbers; only short ones may hold colours
    return value.length < 64 && value.some((one) => typeof one === "string" || (one && typeof one === "object"))
      ? value.map((one) => themed(one, theme)) : value;
  }
  if (value === null || typeof value !== "object" || ArrayBuffer.isView(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, themed(one, theme)]));
}

// ------------------------------------------------------------------------------------------------------- figures

/** One figure: heading, body of a fixed height, reading, caption. The seven kinds fill the body. */
class Figure {
  constructor(board, spec) {
    this.board = board;
    this.dirty = true;
    this.near = false; // about to be seen: worth a first drawing
    this.visible = false; // seen: drawn as often as it changes
    this.drawnAt = -1e9;
    this.drawn = 0;
    this.say = {};
    this.frame = []; // patches of the frame at the playhead
    this.answers = new Map(); // question's key -> patches
    this.shownData = {}; // what they said together when they last said something new
    this.said = "";
    this.element = make("figure", "tr-figure");
    this.title = make("h3", "tr-title");
    this.tools = make("div", "tr-tools");
    this.body = make("div", "tr-body tr-waiting");
    this.words = make("p", "tr-reading");
    this.caption = make("figcaption", "tr-caption");
    this.fault = make("p", "tr-fault");
    this.element.append(make("div", "tr-head", {}, this.title, this.tools), this.body, this.words, this.caption);
    this.spec = spec;
    this.setup();
    this.respec(spec);
  }

  setup() {}

  /** Takes a new spec of the same kind; the nodes stay. */
  respec(spec) {
    this.spec = spec;
    this.text = JSON.stringify(spec);
    this.element.dataset.figure = spec.id;
    this.element.dataset.kind = spec.kind;
    this.element.dataset.size = spec.size;
    this.element.dataset.picks = spec.picks ? ("sets" in spec.picks ? "choose" : "ask") : "";
    this.element.setAttribute("aria-label", spec.alt || spec.title || spec.id);
    write(this.title, spec.title || "");
    write(this.caption, spec.caption || "");
    this.caption.hidden = !spec.caption;
    this.words.hidden = !spec.reading;
    this.changed();
  }

  /** The spec or the theme is another: what was derived from it is stale. */
  changed() {
    this.signature = null;
    this.dirty = true;
  }

  /** Takes the moment to show; whether anything has to be drawn for it is found out here. */
  show(past, frame) {
    const mine = frame.filter((patch) => patch.figure === this.spec.id);
    if (mine.length || this.frame.length) {
      if (mine.length !== this.frame.length || mine.some((patch, i) => patch !== this.frame[i])) this.take(mine);
    }
    this.past = past;
    const signature = this.sign(past);
    if (signature !== this.signature) {
      this.signature = signature;
      this.dirty = true;
    }
  }

  /** What the drawing depends on besides patches. */
  sign() {
    return "";
  }

  take(patches) {
    this.frame = patches;
    if (!alike(this.shownData, this.told)) this.patched();
  }

  answer(key, patches) {
    this.answers.set(key, patches);
    if (!alike(this.shownData, this.told)) this.patched();
  }

  patched() {
    this.shownData = this.told;
    this.say = {};
    for (const patch of this.patches()) Object.assign(this.say, patch.data.say);
    this.dirty = true;
    this.board.readAgain = true;
  }

  /** All patches in force: the answer to what was asked last lies over the others. */
  patches() {
    const answers = [...this.board.asks.standing.keys()].map((key) => this.answers.get(key) ?? []);
    return [...this.frame, ...answers.flat()];
  }

  /** What all patches say together, by trace: the same again need not be drawn again. */
  get told() {
    const told = {};
    for (const { trace, data } of this.patches()) told[trace] = { ...told[trace], ...data };
    return told;
  }

  /** The patches of a figure without traces as one object. */
  get data() {
    return Object.assign({}, ...this.patches().map((patch) => patch.data));
  }

  /** Draws; an error is this figure's own. False when it has to be tried again later. */
  render(now) {
    try {
      if (this.draw() === false) return false;
      this.element.dataset.drawn = ++this.drawn;
      this.body.classList.remove("tr-waiting");
      this.fault.remove();
    } catch (error) {
      this.broken(error);
    }
    this.dirty = false;
    this.drawnAt = now;
    return true;
  }

  broken(error) {
    console.error(`figure ${this.spec.id}:`, error);
    this.body.classList.remove("tr-waiting");
    write(this.fault, `${this.spec.title || this.spec.id}: ${error.message || error}`);
    if (!this.fault.isConnected) this.body.append(this.fault);
  }

  /** Ready to be drawn now? Plots are not, too soon after the last time. */
  due() {
    return 0;
  }

  read() {
    if (!this.spec.reading || !this.past) return;
    const text = reading(this.spec.reading, this.past, this.board.spec.names || {}, this.say);
    if (text !== this.said) write(this.words, (this.said = text));
  }

  /** A gesture happened: asks or sets what the spec says. */
  pick(event) {
    const picks = this.spec.picks;
    if (!picks) return;
    const wanted = {};
    for (const [field, source] of Object.entries("sets" in picks ? picks.sets : picks.args)) {
      if (event[source] !== undefined) wanted[field] = event[source];
    }
    if ("sets" in picks) {
      if (Object.keys(wanted).length) this.board.choose(wanted);
    } else {
      this.board.asks.picked(picks.name, wanted, picks.follow !== false);
    }
  }

  resized() {
    this.dirty = true;
  }

  remove() {
    this.element.remove();
  }
}

// ---------------------------------------------------------------------------------------------------------- plot

let plotlyLoading = null;

/** plotly, loaded once for the page. */
function loadPlotly(url) {
  if (window.Plotly) return Promise.resolve(window.Plotly);
  plotlyLoading ??= new Promise((resolve, reject) => {
    const script = make("script", "", { src: url, async: "" });
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => {
      plotlyLoading = null;
      script.remove();
      reject(new Error(`${url} did not load`));
    };
    document.head.append(script);
  });
  return plotlyLoading;
}

/** A trace's attribute set as lessons/board.py `put` does, without touching what the spec holds. */
function put(target, path, value) {
  const parts = path.split(".");
  const last = parts.pop();
  for (const part of parts) target = target[part] = { ...(target[part] || {}) };
  target[last] = value;
}

class PlotFigure extends Figure {
  setup() {
    this.cost = 0;
    this.reset = 0; // counts "reset view"; a part of plotly's uirevision
    this.graph = make("div", "tr-plot");
    this.empty = make("p", "tr-empty");
    this.body.append(this.graph, this.empty);
    this.logButton = make("button", "tr-tool", { type: "button", "aria-pressed": "false" });
    this.logButton.onclick = () => {
      this.log = !this.log;
      attribute(this.logButton, "aria-pressed", this.log);
      this.dirty = true;
      this.board.schedule();
    };
    this.resetButton = make("button", "tr-tool", { type: "button" });
    this.resetButton.hidden = true;
    this.resetButton.onclick = () => {
      this.reset++;
      this.resetButton.hidden = true;
      this.dirty = true;
      this.board.schedule();
    };
    this.wipeButton = make("button", "tr-tool tr-wipe", { type: "button" });
    this.wipeButton.onclick = () => this.board.choose({ [this.spec.traces[this.sketch].draw.sets]: "" });
    this.tools.append(this.wipeButton, this.resetButton, this.logButton);
    this.graph.addEventListener("pointerdown", (event) => this.press(event), true);
    this.graph.addEventListener("pointermove", (event) => this.aim(event));
    this.graph.addEventListener("pointerleave", () => this.aim(null));
    this.near = null; // of the runs behind a band, the one that is pointed at
    this.graph.addEventListener("pointermove", (event) => {
      if (this.free.length) this.graph.dataset.near = this.dragging || this.nearest(event) !== null;
    });
    this.graph.addEventListener("touchstart", (event) => this.touched(event), { passive: false });
    this.at = null; // where the reader holds the handles, until the page has taken it over
    this.carried = null; // {index, x, y}: the free handle that the reader holds, until the page has taken it over
    this.stroke = null; // heights of the line that the reader draws, until the page has taken it over
  }

  respec(spec) {
    if (this.log === undefined) this.log = spec.layout?.yaxis?.type === "log";
    super.respec(spec);
    this.logButton.hidden = !spec.switch;
    write(this.logButton, this.board.say("log"));
    write(this.resetButton, this.board.say("reset_zoom"));
    attribute(this.logButton, "aria-pressed", this.log);
    if (!this.dragging) this.at = this.carried = this.stroke = null;
    const types = spec.traces.map((trace) => trace.type || "scatter");
    this.handles = spec.traces.some((trace) => trace.hold?.curve) && "sets" in (spec.picks || {});
    this.element.dataset.handles = this.handles;
    this.free = spec.traces.flatMap((trace, index) => (trace.hold?.free ? [index] : []));
    this.sketch = spec.traces.findIndex((trace) => trace.draw);
    this.element.dataset.draws = this.sketch >= 0;
    this.wipeButton.hidden = this.sketch < 0 || spec.traces[this.sketch].y.every((one) => one === null);
    write(this.wipeButton, this.board.say("wipe"));
    this.solid = types.some((type) => /3d|surface|cone|streamtube|volume|isosurface/.test(type));
  }

  changed() {
    super.changed();
    this.base = null;
  }

  sign(past) {
    const { origin } = this.board;
    const found = [this.board.run?.serial, this.board.run?.cuts];
    if (origin) found.push(origin.run.serial, origin.run.cuts, origin.run.history.rows.upTo(past.step));
    for (const { bind, band } of this.spec.traces) {
      if (band) found.push(past.count(`${band}0`));
      for (const source of Object.values(bind || {})) {
        if (Array.isArray(source) || source === "step") found.push(past.step);
        else found.push(past.count(source));
      }
    }
    return found.join();
  }

  /** The spec's traces and layout in the theme's colours. Arrays stay the same objects, so plotly sees what is new. */
  prepare() {
    const theme = this.board.theme;
    this.base = this.spec.traces.map(({ bind, hold, band, first, draw, key, ...trace }) => themed(trace, theme));
    const line = theme.dark ? "rgba(255,255,255,0.12)" : "rgba(20,40,70,0.10)";
    const zero = theme.dark ? "rgba(255,255,255,0.28)" : "rgba(20,40,70,0.25)";
    const axis = { gridcolor: line, zerolinecolor: zero, linecolor: zero, tickcolor: zero, tickfont: { size: 11 } };
    const given = themed(this.spec.layout || {}, theme);
    const layout = {
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      colorway: this.board.palette,
      hoverlabel: { bgcolor: theme.background, bordercolor: theme.border, font: { color: theme.text, family: theme.font, size: 12 } },
      hovermode: "closest",
      ...given,
      font: { family: theme.font, size: 12, color: theme.text, ...given.font },
      margin: { l: 46, r: 10, t: 6, b: 40, ...given.margin },
      legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0, bgcolor: "rgba(0,0,0,0)", font: { size: 11 }, ...given.legend },
    };
    const touch = matchMedia("(pointer: coarse)").matches;
    layout.dragmode ??= this.solid ? "turntable" : touch || this.handles || this.free.length || this.sketch >= 0 ? false : "zoom";
    for (const key of new Set(["xaxis", "yaxis", ...Object.keys(given)])) {
      if (/^[xy]axis\d*$/.test(key) && !(this.solid && !given[key])) {
        const own = given[key] || {};
        // room for what varies: numbers beside a y axis, names under an x axis; more of it and plotly goes in circles
        layout[key] = { ...axis, automargin: key[0] === "y" || own.type === "category", ...own };
        const title = typeof own.title === "string" ? { text: own.title } : own.title;
        if (title) layout[key].title = { standoff: 6, ...title, font: { size: 12, ...title.font } };
      }
      if (/^scene\d*$/.test(key)) {
        const scene = (layout[key] = { bgcolor: "rgba(0,0,0,0)", ...given[key] });
        for (const name of ["xaxis", "yaxis", "zaxis"]) {
          // its lines know no transparency
          const pale = theme.dark ? "#39444f" : "#dde3ea";
          scene[name] = { gridcolor: pale, zerolinecolor: pale, linecolor: pale, showbackground: false, color: theme.text, ...scene[name] };
        }
      }
    }
    this.layout = layout;
  }

  /** A fresh layout: plotly writes into the one it is given. Zoom, camera and hidden traces are the reader's (uirevision). */
  fresh() {
    const layout = { ...this.layout, width: this.body.clientWidth, height: this.body.clientHeight };
    layout.uirevision = `r${this.reset}`;
    for (const key of Object.keys(layout)) {
      if (/^[xy]axis\d*$/.test(key)) {
        const axis = (layout[key] = { ...layout[key] });
        if (key === "yaxis" && this.spec.switch) {
          if (axis.type === "log" ? !this.log : this.log) delete axis.range;
          axis.type = this.log ? "log" : axis.type === "log" ? "linear" : axis.type;
        }
        if (axis.range) axis.range = [...axis.range];
        // another range in the spec is another place: a zoom into the old one means nothing there
        axis.uirevision = `${layout.uirevision} ${axis.type || ""} ${axis.range || ""}`;
      } else if (/^scene\d*$/.test(key)) {
        layout[key] = { ...layout[key], uirevision: layout.uirevision };
        for (const name of ["xaxis", "yaxis", "zaxis"]) layout[key][name] = { ...layout[key][name] };
      } else if (key === "legend" || key === "margin") {
        layout[key] = { ...layout[key] };
      }
    }
    return layout;
  }

  /** The traces as they stand at the playhead. */
  filled() {
    if (!this.base) this.prepare();
    const patches = this.patches();
    const own = this.base.flatMap((base, index) => {
      const { bind, hold, name, run, band, first, key } = this.spec.traces[index];
      if (band) return this.past ? this.bandOf(base, band, first || 0) : [];
      const trace = { ...base };
      if (hold?.curve && this.at !== null) Object.assign(trace, this.heldAt(hold, trace));
      if (this.carried?.index === index) Object.assign(trace, { x: [this.carried.x], y: [this.carried.y] });
      if (this.stroke && index === this.sketch) trace.y = this.stroke;
      const past = run ? this.board.pastOf(run) : this.past;
      if (bind && past) {
        const arrays = thin(past.bound(bind), trace, this.span(trace), this.body.clientWidth);
        for (const [key, value] of Object.entries(arrays)) put(trace, key, value);
      }
      for (const patch of patches) {
        if (patch.trace !== (key ?? name)) continue;
        for (const [key, value] of Object.entries(patch.data)) {
          if (key !== "say") put(trace, key, nested(value));
        }
      }
      return trace;
    });
    return [...own, ...this.pale()];
  }

  /** A band: the median as a line, two pale shapes behind it, and the run that is pointed at by itself. */
  bandOf(base, band, first) {
    const { x, low, lower, middle, upper, high } = this.past.spread(band);
    const colour = base.line?.color;
    const area = (down, up, opacity, name) => ({
      name: `${base.name} ${name}`,
      x: [...x, ...[...x].reverse()],
      y: [...up, ...[...down].reverse()],
      mode: "lines",
      fill: "toself",
      line: { color: colour, width: 0 },
      opacity,
      hoverinfo: "skip",
      showlegend: false,
    });
    const found = [area(low, high, 0.22, "all"), area(lower, upper, 0.42, "half"), { mode: "lines", ...base, x, y: middle, hoverinfo: "skip" }];
    if (this.near?.band !== band || !this.past.series(this.near.name)) return found;
    const { steps, values } = this.past.series(this.near.name);
    const at = Math.min(this.near.at, steps.length - 1);
    const left = at > steps.length / 2;
    const words = this.board.say("seed_at", { seed: first + this.near.number, value: number(values[at]) });
    const alone = { hoverinfo: "skip", showlegend: false };
    const thinned = thin({ x: steps, y: values }, base, this.span(base), this.body.clientWidth);
    return [
      ...found,
      { ...alone, name: `${base.name} one`, ...thinned, mode: "lines", line: { color: this.board.theme.text, width: 1 } },
      {
        ...alone,
        name: `${base.name} here`,
        x: [steps[at]],
        y: [values[at]],
        mode: "markers+text",
        text: [words],
        textposition: left ? "top left" : "top right",
        marker: { color: this.board.theme.text, size: 6 },
      },
    ];
  }

  /** Finds the run behind a band that the pointer is nearest to. */
  aim(event) {
    const full = this.graph._fullLayout;
    const bands = this.spec.traces.filter((trace) => trace.band);
    if (!bands.length || !full?.xaxis || !this.past || this.dragging) return;
    let near = null;
    if (event) {
      const box = this.graph.getBoundingClientRect();
      const across = event.clientX - box.left - full.xaxis._offset;
      const down = event.clientY - box.top - full.yaxis._offset;
      if (across >= 0 && across <= full.xaxis._length && down >= 0 && down <= full.yaxis._length) {
        let best = 40; // pixels
        for (const { band } of bands) {
          for (let k = 0, many = this.past.many(band); k < many; k++) {
            const { steps, values } = this.past.series(band + k) || { steps: [] };
            if (!steps.length) continue;
            const at = this.past.history.columns.get(band + k).upTo(full.xaxis.p2d(across)) - 1;
            const place = clamp(at, 0, steps.length - 1);
            const off = Math.abs(full.yaxis.d2p(values[place]) - down);
            if (off < best) {
              best = off;
              near = { band, number: k, name: band + k, at: place };
            }
          }
        }
      }
    }
    if (near?.name === this.near?.name && near?.at === this.near?.at) return;
    this.near = near;
    this.dirty = true;
    this.board.schedule();
  }

  /** What the original of a fork did from the fork on: its traces, pale, named run/trace. */
  pale() {
    const { origin } = this.board;
    if (!origin || !this.past || this.past.step < origin.step) return [];
    const past = origin.run.history.at(this.past.step);
    return this.base.flatMap((base, index) => {
      const { bind, name, run } = this.spec.traces[index];
      if (!bind || run || !/^scatter/.test(base.type || "scatter")) return []; // bars have no room for a second set
      const trace = { ...base, name: `${origin.run.id}/${name}`, opacity: PALE * (base.opacity ?? 1), showlegend: false, hoverinfo: "skip" };
      delete trace.hovertemplate;
      const arrays = thin(past.bound(bind, origin.step), trace, this.span(trace), this.body.clientWidth);
      for (const [key, value] of Object.entries(arrays)) put(trace, key, value);
      return [trace];
    });
  }

  /** The sample of a curve that is nearest to where the reader holds the handles. */
  sample(name) {
    const { x, y } = this.spec.traces.find((trace) => trace.name === name);
    let low = 0;
    let high = x.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (x[middle] <= this.at) low = middle;
      else high = middle;
    }
    const index = this.at - x[low] <= x[high] - this.at ? low : high;
    return [x[index], y[index]];
  }

  /** A handle's x and y there. */
  heldAt({ curve, slope, upright }, trace) {
    const [x, y] = this.sample(curve);
    if (upright) return { x: trace.x.map(() => x) };
    if (!slope) return { x: [x], y: [y] };
    const half = (trace.x[trace.x.length - 1] - trace.x[0]) / 2;
    const steep = this.sample(slope)[1];
    return { x: [x - half, x, x + half], y: [y - half * steep, y, y + half * steep] };
  }

  /** What the reader has zoomed a trace's x axis to, or null. */
  span(trace) {
    const axis = this.graph._fullLayout?.[`xaxis${(trace.xaxis || "x").slice(1)}`];
    return axis && axis.type === "linear" && axis._rangeInitial0 !== undefined && !axis.autorange ? axis.range : null;
  }

  due(now) {
    if (this.held || this.busy) return Infinity;
    return (this.dragging ? 16 : Math.max(PLOT_PAUSE, 2.5 * this.cost)) - (now - this.drawnAt);
  }

  draw() {
    if (!window.Plotly) {
      if (!this.loading) {
        this.loading = loadPlotly(this.board.plotly)
          .catch((error) => this.broken(error))
          .finally(() => {
            this.loading = null;
            if (window.Plotly) this.board.schedule();
          });
      }
      return false;
    }
    if (!this.body.clientWidth) return false;
    const started = performance.now();
    this.busy = true;
    const config = { displayModeBar: false, responsive: false, scrollZoom: false, showTips: false, doubleClick: "reset" };
    const traces = this.filled();
    write(this.empty, this.blank(traces) ? this.board.say("no_points") : "");
    const drawing = window.Plotly.react(this.graph, traces, this.fresh(), config);
    Promise.resolve(drawing)
      .catch((error) => this.broken(error))
      .finally(() => {
        this.busy = false;
        this.cost = 0.6 * this.cost + 0.4 * (performance.now() - started);
        if (this.dirty) this.board.schedule();
      });
    if (!this.wired) {
      this.wired = true;
      this.graph.on("plotly_click", (event) => this.clicked(event.points[0]));
      this.graph.on("plotly_relayout", (event) => this.moved(event));
    }
    return true;
  }

  /** Whether no trace has a point that can be drawn, nor the reader anything to draw or carry: axes alone say nothing. */
  blank(traces) {
    const shown = (one) => typeof one === "string" || (one !== null && Number.isFinite(Number(one)));
    const holds = ({ type = "scatter", x, y, opacity, marker }) => {
      if (!/^(scatter|bar)$/.test(type) || !y) return true;
      return opacity !== 0 && Array.prototype.some.call(y, (one, i) => shown(one) && (!x || shown(x[i])) && marker?.size?.[i] !== 0);
    };
    return this.sketch < 0 && !this.free.length && !traces.some(holds);
  }

  moved(event) {
    const keys = Object.keys(event);
    if (keys.some((key) => key.endsWith(".autorange"))) this.resetButton.hidden = true;
    else if (keys.some((key) => /\.range|camera/.test(key))) this.resetButton.hidden = false;
    else return;
    if (this.spec.traces.some((trace) => trace.bind) && this.past?.n > 4 * this.body.clientWidth) {
      this.dirty = true; // a line that was thinned has more to show in a smaller range
      this.board.schedule();
    }
  }

  /** While a pointer is down the plot is the reader's; a press that did not move is a click anywhere in its area. */
  press(event) {
    if (this.handles && event.button === 0 && !event.target.closest?.(".legend")) return this.drag(event);
    const near = event.button === 0 ? this.nearest(event) : null;
    if (near !== null) return this.carry(event, near);
    if (this.sketch >= 0 && event.button === 0 && !event.target.closest?.(".legend")) return this.trail(event);
    this.held = true;
    const { clientX, clientY, target } = event;
    return this.follow(
      () => {},
      (end, dropped) => {
        this.held = false;
        this.board.schedule();
        const far = Math.hypot(end.clientX - clientX, end.clientY - clientY) > 5;
        if (!far && dropped && event.button === 0) this.pressed(clientX, clientY, target);
      },
    );
  }

  /** The pointer that is down: `move` hears of each move, `end` of its end, and whether it was let go (not taken away). */
  follow(move, end) {
    const kinds = ["pointermove", "pointerup", "pointercancel"];
    const go = (event) => {
      if (event.type === "pointermove" && event.buttons) return move(event); // without buttons: released outside the window
      for (const kind of kinds) window.removeEventListener(kind, go, true);
      return end(event, event.type === "pointerup");
    };
    for (const kind of kinds) window.addEventListener(kind, go, true);
  }

  /** The same with something in hand: drawn, and read again, at each move and at the end. */
  inHand(event, move, end) {
    event.preventDefault();
    event.stopPropagation();
    this.dragging = true;
    const draw = () => {
      this.dirty = this.board.readAgain = true;
      this.board.schedule();
    };
    this.follow(
      (next) => {
        move(next);
        draw();
      },
      (last, dropped) => {
        this.dragging = false;
        end(dropped);
        draw();
      },
    );
    draw();
  }

  /** The handles go with the pointer; where it is let go is what is chosen. */
  drag(event) {
    const first = this.place(event.clientX, event.clientY);
    if (!first) return;
    let now = first;
    this.at = now.x;
    this.inHand(
      event,
      (next) => {
        now = this.place(next.clientX, next.clientY, true) || now;
        this.at = now.x;
      },
      (dropped) => {
        const { curve } = this.spec.traces.find((trace) => trace.hold?.curve).hold;
        if (dropped) this.pick({ ...now, x: this.sample(curve)[0] });
        else this.at = null;
      },
    );
  }

  /** The axes that a trace of the spec lies on. */
  axesOf({ xaxis = "x", yaxis = "y" }) {
    const full = this.graph._fullLayout;
    return [full?.[`xaxis${xaxis.slice(1)}`], full?.[`yaxis${yaxis.slice(1)}`]];
  }

  /** The free handle within reach of a pointer, or null. */
  nearest({ clientX, clientY }) {
    const box = this.graph.getBoundingClientRect();
    let [found, least] = [null, REACH];
    for (const index of this.free) {
      const trace = this.spec.traces[index];
      const [across, up] = this.axesOf(trace);
      if (!across || !up) continue;
      const far = Math.hypot(clientX - box.left - across._offset - across.d2p(trace.x[0]), clientY - box.top - up._offset - up.d2p(trace.y[0]));
      if (far < least) [found, least] = [index, far];
    }
    return found;
  }

  /** A finger on a free handle carries it, and one on a plot to draw on draws; anywhere else it scrolls the page. */
  touched(event) {
    if (event.touches.length !== 1) return;
    const on = this.sketch >= 0 && event.target.closest?.(".nsewdrag");
    if (on || (this.free.length && this.nearest(event.touches[0]) !== null)) event.preventDefault();
  }

  /** A free handle goes with the pointer as far as its settings go; where it is let go is what is chosen. */
  carry(event, index) {
    const trace = this.spec.traces[index];
    const { free } = trace.hold;
    const [across, up] = this.axesOf(trace);
    const started = [event.clientX - across.d2p(trace.x[0]), event.clientY - up.d2p(trace.y[0])]; // it does not jump to the pointer
    this.inHand(
      event,
      (next) => {
        const at = { x: across.p2d(next.clientX - started[0]), y: up.p2d(next.clientY - started[1]) };
        this.carried = { index, x: trace.x[0], y: trace.y[0] };
        for (const [axis, { from, to, by }] of Object.entries(free)) {
          this.carried[axis] = Number((from + by * Math.round((clamp(at[axis], from, to) - from) / by)).toFixed(9));
        }
      },
      (dropped) => {
        const moved = this.carried && (this.carried.x !== trace.x[0] || this.carried.y !== trace.y[0]);
        if (moved && dropped) {
          this.board.choose(Object.fromEntries(Object.entries(free).map(([axis, { sets }]) => [sets, this.carried[axis]])));
        } else {
          this.carried = null;
        }
      },
    );
  }

  /** A line is drawn: the pointer's height at each of the trace's x that it passes; at the end it is chosen. */
  trail(event) {
    const trace = this.spec.traces[this.sketch];
    const { sets, from, to } = trace.draw;
    const [across, up] = this.axesOf(trace);
    const box = this.graph.getBoundingClientRect();
    const at = ({ clientX, clientY }) => [clientX - box.left - across._offset, clientY - box.top - up._offset];
    const pixels = trace.x.map((x) => across.d2p(x));
    let last = at(event);
    if (last[0] < -REACH || last[0] > across._length + REACH || last[1] < 0 || last[1] > up._length) return undefined;
    const before = this.stroke ?? trace.y;
    const nearest = new Map(); // how near the pointer has come to an x that it did not pass
    const follow = (next) => {
      const now = at(next);
      const [[left, y0], [right, y1]] = [last, now].sort((a, b) => a[0] - b[0]);
      const half = (pixels[pixels.length - 1] - pixels[0]) / (pixels.length - 1) / 2; // an x so near to an end also gets it
      this.stroke = (this.stroke ?? before).map((old, i) => {
        const far = Math.max(0, left - pixels[i], pixels[i] - right);
        if (far && far >= Math.min(half, nearest.get(i) ?? Infinity)) return old;
        nearest.set(i, far);
        const part = clamp((pixels[i] - left) / (right - left || 1), 0, 1);
        const y = clamp(up.p2d(y0 + part * (y1 - y0)), from, to);
        return Number(Number(y.toPrecision(3)).toFixed(4)); // short in a link, and never with an exponent
      });
      last = now;
    };
    return this.inHand(event, follow, (dropped) => {
      if (dropped && this.stroke) this.board.choose({ [sets]: this.stroke.map((y) => y ?? "").join(",") });
      else this.stroke = null;
    });
  }

  /** By what factor a drawn line is off another trace: the geometric mean where both are; null if they never are. */
  apart({ draw, x, y }) {
    const { bind } = this.spec.traces.find((trace) => trace.name === draw.against);
    const real = this.past?.bound(bind);
    if (!real?.x?.length) return null;
    let [total, count, k] = [0, 0, 0];
    (this.stroke ?? y).forEach((guess, i) => {
      while (k < real.x.length - 1 && real.x[k] < x[i]) k++;
      const there = real.y[k];
      if (!(guess > 0 && there > 0) || real.x[k] < x[i]) return; // the run has not come so far
      total += Math.abs(Math.log(guess / there));
      count++;
    });
    return count ? Math.exp(total / count) : null;
  }

  /** Whether a click is taken from its pixel: a choice of x and y alone, in two dimensions. */
  get byPixel() {
    const picks = this.spec.picks;
    return !this.solid && !!picks && "sets" in picks && Object.values(picks.sets).every((one) => one === "x" || one === "y");
  }

  pressed(clientX, clientY, target) {
    if (!this.byPixel || target.closest?.(".legend, .colorbar, .cb")) return;
    const event = this.place(clientX, clientY);
    if (event) this.pick(event);
  }

  /** Where a pixel lies on the axes that are chosen from, or null beyond their ends; with `edge` the nearer end. */
  place(clientX, clientY, edge = false) {
    const full = this.graph._fullLayout;
    if (!full?.xaxis || !full.yaxis) return null;
    const box = this.graph.getBoundingClientRect();
    const wanted = Object.values(this.spec.picks.sets);
    const event = {};
    for (const [name, axis, at] of [["x", full.xaxis, clientX - box.left], ["y", full.yaxis, clientY - box.top]]) {
      if (!wanted.includes(name)) continue;
      let pixel = at - axis._offset;
      if (edge) pixel = clamp(pixel, 0, axis._length);
      if (pixel < 0 || pixel > axis._length) return null;
      const value = axis.p2d(pixel);
      if (typeof value !== "number") event[name] = value;
      else {
        // no more digits than a pixel is worth
        const grain = Math.abs(axis.p2d(Math.min(axis._length, pixel + 1)) - axis.p2d(Math.max(0, pixel - 1))) / 2 || 1e-6;
        event[name] = Number(value.toFixed(clamp(Math.ceil(-Math.log10(grain)), 0, 12)));
      }
    }
    return event;
  }

  /** What the handles show fills the reading. */
  read() {
    for (const { hold, x, y } of this.spec.traces) {
      if (hold?.say) [this.say.x, this.say[hold.say]] = this.at === null ? [x[0], y[0]] : this.sample(hold.curve);
    }
    const sketch = this.spec.traces[this.sketch];
    if (sketch?.draw.say) {
      const off = this.apart(sketch);
      if (off === null) delete this.say[sketch.draw.say];
      else this.say[sketch.draw.say] = off;
    }
    super.read();
  }

  clicked(point) {
    if (!point || this.byPixel) return;
    const index = Array.isArray(point.pointNumber) ? undefined : point.pointNumber;
    const [row, col] = Array.isArray(point.pointNumber) ? point.pointNumber : [];
    this.pick({ x: point.x, y: point.y, z: point.z, index, row, col, trace: point.data.name });
  }

  remove() {
    if (window.Plotly && this.wired) window.Plotly.purge(this.graph);
    super.remove();
  }
}

/** Bound arrays with no more points than can be seen. A line over an ascending x keeps, in each of its columns of
    pixels, the first, lowest, highest and last point, and every gap; another path drops points that lie on top of the
    one before. `span`: the x range on screen, if it is not all; `columns`: how many pixels there are for it. */
export function thin(arrays, trace, span = null, columns = POINTS / 4) {
  const { x, y } = arrays;
  if (!ArrayBuffer.isView(x) || !ArrayBuffer.isView(y) || y.length <= Math.min(POINTS, 4 * columns)) return arrays;
  const kept = [];
  let ascending = true;
  for (let i = 1; i < x.length && ascending; i++) ascending = x[i] >= x[i - 1];
  if (ascending && !arrays.z) {
    const [low, high] = span || [x[0], x[x.length - 1]];
    const width = (high - low) / columns || 1;
    let bin = NaN;
    let lowest = 0;
    let highest = 0;
    let start = 0;
    const close = (end) => {
      if (end > start) kept.push(...[...new Set([start, lowest, highest, end - 1])].sort((a, b) => a - b));
    };
    for (let i = 0; i < x.length; i++) {
      // beyond the screen a column is fifty times as wide
      const here = x[i] < low ? Math.floor((x[i] - low) / (50 * width)) : x[i] > high ? 1e6 + Math.floor((x[i] - high) / (50 * width)) : Math.floor((x[i] - low) / width) + 0.5;
      if (here !== bin || !Number.isFinite(y[i]) || !Number.isFinite(y[i - 1])) {
        close(i);
        [bin, start, lowest, highest] = [here, i, i, i];
      }
      if (y[i] < y[lowest]) lowest = i;
      if (y[i] > y[highest]) highest = i;
    }
    close(x.length);
  } else {
    const grain = [x, y, arrays.z].map((one) => {
      let [low, high] = [Infinity, -Infinity];
      for (const value of one || []) if (Number.isFinite(value)) [low, high] = [Math.min(low, value), Math.max(high, value)];
      return (high - low) / 2000 || 1;
    });
    let last = 0;
    kept.push(0);
    for (let i = 1; i < x.length; i++) {
      const near = [x, y, arrays.z].every((one, axis) => !one || Math.abs(one[i] - one[last]) < grain[axis]);
      if (!near || i === x.length - 1) kept.push((last = i));
    }
  }
  return Object.fromEntries(
    Object.entries(arrays).map(([key, all]) => [key, all.length === x.length ? all.constructor.from(kept, (i) => all[i]) : all]),
  );
}

// ----------------------------------------------------------------------------------------------------------- map

class MapFigure extends Figure {
  setup() {
    this.box = make("div", "tr-map", { tabindex: "0", role: "application" });
    this.canvas = make("canvas", "tr-canvas", { "aria-hidden": "true" });
    this.cursor = make("div", "tr-cursor");
    this.selected = make("div", "tr-selected");
    this.tip = make("div", "tr-tip", { role: "status", "aria-live": "polite" });
    this.scale = make("div", "tr-scale", { "aria-hidden": "true" });
    this.low = make("span");
    this.bar = make("i");
    this.high = make("span");
    this.scale.append(this.low, this.bar, this.high);
    this.empty = make("p", "tr-empty");
    this.box.append(this.canvas, this.selected, this.cursor, this.tip, this.scale);
    this.body.append(this.box, this.empty);
    this.at = null; // [tile, row, column] under the cursor
    this.hide();
    this.selected.hidden = true;
    this.box.addEventListener("pointermove", (event) => this.point(this.hit(event), event));
    this.box.addEventListener("pointerleave", () => this.hide());
    this.box.addEventListener("blur", () => this.hide());
    this.box.addEventListener("pointerdown", (event) => this.drawOn(event));
    this.box.addEventListener("click", (event) => {
      const at = this.draws ? null : this.hit(event);
      if (at) this.point(at), this.choose(at);
    });
    this.box.addEventListener("keydown", (event) => this.key(event));
  }

  respec(spec) {
    super.respec(spec);
    this.box.setAttribute("aria-label", spec.alt || spec.title || spec.id);
    this.names = this.captions();
  }

  /** The names of the tiles; those that are readings say something else at another moment. */
  captions() {
    const { spec, past, board, say, source } = this;
    if (this.lent) return [this.lent.name];
    const tiles = source ? [source.spec.tiles[source.chosen] ?? ""] : spec.tiles;
    return tiles.map((name) => (name.includes("{") ? reading(name, past || [], board.spec.names || {}, say) : name));
  }

  read() {
    super.read();
    const names = this.captions();
    if (same(names, this.names)) return;
    this.names = names;
    this.dirty = true;
    this.board.schedule();
  }

  /** What a number of the tiles stands for. */
  meant(value) {
    const { span } = this;
    return span ? span[0] + (value / 255) * (span[1] - span[0]) : value;
  }

  /** The map whose picked tile this one shows in full, if it is one that does. */
  get source() {
    const found = this.spec.shows ? this.board.figures.get(this.spec.shows) : null;
    return found instanceof MapFigure ? found : null;
  }

  /** The unit of a network that is pointed at there and shown here, as {tile, name, unit}, or null. */
  get lent() {
    const found = this.spec.shows ? this.board.figures.get(this.spec.shows) : null;
    return found instanceof NetworkFigure ? found.lent : null;
  }

  get colours() {
    return this.lent ? "diverging" : this.spec.colours;
  }

  /** What bytes stand for: from its first to its second number. */
  get span() {
    const { lent } = this;
    return lent ? lent.tile.bytes && [-lent.tile.most, lent.tile.most] : this.spec.span;
  }

  /** The maps that show a tile of this one in full. */
  get shadows() {
    return [...this.board.figures.values()].filter((figure) => figure.spec.shows === this.spec.id);
  }

  patched() {
    super.patched();
    this.follow();
  }

  /** Whoever shows a tile of this map in full has another one to show. */
  follow() {
    for (const figure of this.shadows) {
      figure.names = figure.captions();
      figure.dirty = true;
      this.board.schedule();
    }
  }

  /** The tile picked last, the first until then. */
  get chosen() {
    return Math.min(this.picked?.[0] ?? 0, (this.tiles?.n ?? 1) - 1);
  }

  /** The tiles as {values, n, rows, columns, depth}, or null. */
  get tiles() {
    if (this.source) {
      const all = this.source.tiles;
      if (!all) return null;
      const size = all.rows * all.columns * all.depth;
      const index = this.source.chosen;
      return { ...all, n: 1, values: all.values.subarray(index * size, (index + 1) * size) };
    }
    if (this.lent) return { ...this.lent.tile, n: 1, depth: 1 };
    const tiles = this.data.tiles;
    if (!isArray(tiles)) return null;
    const shape = tiles.shape.length === 2 ? [1, ...tiles.shape] : tiles.shape;
    const [n, rows, columns, depth = 1] = shape;
    return n && rows && columns ? { values: tiles.values, n, rows, columns, depth } : null;
  }

  /** Names of the rows and columns: those that came with the tiles, else the figure's own. */
  get rows() {
    return this.data.rows ?? this.spec.rows;
  }

  get columns() {
    return this.data.columns ?? this.spec.columns;
  }

  /** Lowest and highest value of tile `index`'s colours. */
  limits(tiles, index) {
    const { limits } = this.spec;
    const { colours, span } = this;
    if (span && !Array.isArray(limits)) return span;
    let low = Infinity;
    let high = -Infinity;
    if (Array.isArray(limits)) [low, high] = limits;
    else {
      const size = tiles.rows * tiles.columns;
      const [from, to] = limits === "each" ? [index * size, (index + 1) * size] : [0, tiles.n * size];
      for (let i = from; i < to; i++) {
        const value = tiles.values[i];
        if (value < low && value > -Infinity) low = value;
        if (value > high && value < Infinity) high = value;
      }
      if (low > high) [low, high] = [0, 1];
    }
    if (colours === "diverging") {
      high = Math.max(Math.abs(low), Math.abs(high)) || 1;
      low = -high;
    }
    return [low, high];
  }

  draw() {
    const width = this.body.clientWidth;
    const height = this.body.clientHeight;
    if (!width) return false;
    const tiles = (this.shown = this.tiles);
    write(this.empty, tiles ? "" : this.board.say("no_data"));
    this.box.hidden = !tiles;
    if (!tiles) return true;
    const ratio = window.devicePixelRatio || 1;
    if (this.canvas.width !== Math.round(width * ratio) || this.canvas.height !== Math.round(height * ratio)) {
      this.canvas.width = Math.round(width * ratio);
      this.canvas.height = Math.round(height * ratio);
      this.canvas.style.width = `${width}px`;
      this.canvas.style.height = `${height}px`;
    }
    const context = this.canvas.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.arrange(context, tiles, width, height, ratio);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.imageSmoothingEnabled = this.spec.smooth;
    const sheet = this.sheet(tiles, ratio);
    for (let index = 0; index < tiles.n; index++) {
      this.tile(context, tiles, index);
      if (sheet) context.drawImage(sheet, ...this.corner(index), sheet.width / ratio, sheet.height / ratio);
    }
    for (const index of flat(this.data.crossed)) if (index < tiles.n) this.cross(context, tiles, Number(index));
    this.stroked(context);
    this.labels(context, tiles);
    this.legend(tiles);
    this.mark();
    if (this.source || this.spec.shows) write(this.title, [this.spec.title, this.captions()[0]].filter(Boolean).join(" · "));
    if (this.at) this.point(this.at);
    return true;
  }

  /** The dots of a tile on a canvas of their own, drawn again only when they are others. */
  sheet(tiles, ratio) {
    const { dots } = this.data;
    if (!isArray(dots) || !dots.shape[0]) return null;
    const [wide, tall] = [this.plan.cell * tiles.columns, this.plan.cell * tiles.rows];
    const key = [wide, tall, ratio].join();
    const before = this.dotted;
    if (before?.key === key && before.dots.length === dots.values.length && same(before.dots, dots.values)) return before.canvas;
    const canvas = before?.canvas ?? document.createElement("canvas");
    canvas.width = Math.round(wide * ratio);
    canvas.height = Math.round(tall * ratio);
    const context = canvas.getContext("2d");
    context.scale(ratio, ratio);
    const radius = clamp(wide / 80, 1.2, 3.2);
    const { palette } = this.spec;
    const kinds = palette.length ? palette.flatMap((_, kind) => [kind, 128 + kind]) : [0, 1, 2, 3];
    for (const kind of kinds) {
      context.beginPath();
      for (let i = 0; i < dots.shape[0]; i++) {
        const [across, down, own] = dots.values.subarray(3 * i, 3 * i + 3);
        if (own !== kind) continue;
        const [x, y] = [(across / 255) * wide, (down / 255) * tall];
        context.moveTo(x + radius, y);
        context.arc(x, y, radius, 0, 2 * Math.PI);
      }
      const held = palette.length ? kind > 127 : kind > 1;
      const [pale, deep] = kind % 2 ? ["#b9dcff", "#0a2f57"] : ["#ffd9ad", "#5c2a00"];
      context.fillStyle = palette.length ? palette[kind % 128] : held ? deep : pale;
      context.strokeStyle = palette.length ? (held ? "#10202e" : "#ffffff") : held ? pale : deep;
      context.lineWidth = radius * (held ? 0.6 : 0.35);
      context.fill();
      context.stroke();
    }
    this.dotted = { key, dots: dots.values, canvas };
    return canvas;
  }

  /** Finds the largest cells for which all tiles and labels fit. */
  arrange(context, tiles, width, height, ratio) {
    const { spec } = this;
    context.font = this.font(11);
    const widest = (words) => Math.max(0, ...words.map((word) => context.measureText(word).width));
    const { rows, columns: names } = this;
    const single = tiles.n === 1;
    const { plane } = spec;
    const scale = this.ranged ? 20 : 0;
    let left = 0;
    let top = 0;
    if (single || spec.whole) {
      if (rows.length) left = Math.min(widest(rows) + 8, 0.34 * width);
      if (spec.row_title) left += 16;
      if (names.length) top = 16;
      if (spec.column_title && !plane) top += 16;
    } else if (spec.marks?.length) left = widest(spec.marks) + 8;
    const under = single && plane ? 16 + (spec.column_title ? 14 : 0) : 0; // the axis across
    if (under) left += widest([String(plane[0]).replace("-", "−")]) + 8;
    this.lines = Math.max(0, ...spec.tiles.map((name) => Math.max(...name.split(" || ").map((one) => one.split("\n").length))));
    let caption = spec.whole ? 0 : 14 * this.lines;
    const gap = single ? 0 : Math.max(3, Math.min(8, width / (spec.across ? 140 : 60)));
    const legend = scale + under;
    let found = { cell: 0, across: 1 };
    const fit = (top) => {
      found = { cell: 0, across: 1 };
      for (let across = spec.across || 1; across <= (spec.across || tiles.n); across++) {
        const down = Math.ceil(tiles.n / across);
        const cell = Math.min(
          (width - left - gap * (across - 1)) / (across * tiles.columns),
          (height - top - legend - down * caption - gap * (down - 1)) / (down * tiles.rows),
        );
        if (cell > found.cell) found = { cell, across };
      }
    };
    fit(top);
    this.steep = false;
    if (single && names.length && widest(names) > found.cell - 2) {
      this.steep = true; // names of columns that do not fit beside each other stand upright
      top += Math.min(widest(names), 0.22 * height) - 8;
      fit(top);
    }
    this.wraps = false;
    if (caption) {
      // captions wider than their tiles go on in further lines, where the tiles need not shrink much for it
      context.font = this.font(10.5);
      const needed = Math.max(...this.names.map((name) => wrapped(context, name, found.cell * tiles.columns).length));
      const key = [this.text, width, height].join();
      if (key !== this.settled?.key) this.settled = { key, lines: 0 };
      const lines = (this.settled.lines = Math.max(needed, this.settled.lines)); // numbers come and go; the tiles stay
      if (lines > this.lines) {
        const before = found;
        caption = 14 * lines;
        fit(top);
        this.wraps = found.cell > 0.85 * before.cell;
        if (this.wraps) this.lines = lines;
        else [found, caption] = [before, 14 * this.lines];
      }
    }
    let { cell } = found;
    const { across } = found;
    // whole pixels, crisp edges: of a cell, or of a tile where that is what counts or cells are too fine to tell
    const unit = spec.whole || (!single && cell * ratio < 4) ? tiles.columns : 1;
    if (cell * unit * ratio >= 1 && !spec.smooth) cell = Math.floor(cell * unit * ratio) / ratio / unit;
    const down = Math.ceil(tiles.n / across);
    const used = left + across * cell * tiles.columns + gap * (across - 1);
    const tall = top + legend + down * (caption + cell * tiles.rows) + gap * (down - 1);
    const snap = (value) => Math.round(value * ratio) / ratio;
    this.plan = {
      cell, across, gap, caption, left: snap(left + Math.max(0, (width - used) / 2)), top: snap(top + Math.max(0, (height - tall) / 2)),
      bottom: 0,
    };
    this.plan.bottom = this.plan.top + tall - top - scale;
  }

  font(size) {
    return `${size}px ${this.board.theme.font}`;
  }

  /** Top left corner of a tile. */
  corner(index) {
    const { cell, across, gap, caption, left, top } = this.plan;
    const { rows, columns } = this.shown;
    const down = Math.floor(index / across);
    return [left + (index % across) * (cell * columns + gap), top + down * (cell * rows + caption + gap) + caption];
  }

  tile(context, tiles, index) {
    const { rows, columns, depth, values } = tiles;
    const { cell } = this.plan;
    const size = rows * columns;
    const [x, y] = this.corner(index);
    this.scratch ??= document.createElement("canvas");
    if (this.scratch.width !== columns || this.scratch.height !== rows || !this.image) {
      this.scratch.width = columns;
      this.scratch.height = rows;
      this.image = new ImageData(columns, rows);
    }
    const out = this.image.data;
    const table = RAMPS[this.colours];
    const [low, high] = depth === 1 ? this.limits(tiles, index) : [0, 255];
    for (let i = 0; i < size; i++) {
      const at = 4 * i;
      if (depth > 1) {
        for (let c = 0; c < 3; c++) out[at + c] = values[(index * size + i) * depth + c];
        out[at + 3] = 255;
        continue;
      }
      const value = this.meant(values[index * size + i]);
      const colour = table ? 3 * place(value, low, high) : 0;
      for (let c = 0; c < 3; c++) out[at + c] = Number.isNaN(value) ? 128 : table ? table[colour + c] : place(value, low, high);
      out[at + 3] = Number.isNaN(value) ? 70 : 255;
    }
    this.scratch.getContext("2d").putImageData(this.image, 0, 0);
    context.drawImage(this.scratch, x, y, cell * columns, cell * rows);
    if (this.spec.numbers && depth === 1 && cell >= 17) {
      context.textAlign = "center";
      context.textBaseline = "middle";
      let font = clamp(cell * 0.36, 8, 14);
      const texts = Array.from({ length: size }, (_, i) => short(values[index * size + i]));
      context.font = this.font(font);
      const widest = Math.max(...texts.map((text) => context.measureText(text).width));
      if (widest > cell - 3) font = Math.max(6.5, (font * (cell - 3)) / widest);
      context.font = this.font(font);
      for (let i = 0; i < size; i++) {
        context.fillStyle = light(out[4 * i], out[4 * i + 1], out[4 * i + 2]) ? "#10202e" : "#ffffff";
        context.fillText(texts[i], x + ((i % columns) + 0.5) * cell, y + (Math.floor(i / columns) + 0.5) * cell);
      }
    }
    if (this.spec.tiles[index] && this.names[index] && !this.spec.whole) {
      context.font = this.font(10.5);
      context.textAlign = "left";
      context.textBaseline = "alphabetic";
      context.fillStyle = this.board.theme.text;
      const lines = this.wraps ? wrapped(context, this.names[index], cell * columns) : this.names[index].split("\n");
      const above = this.wraps ? lines.length : this.lines; // those that differ in length end at their tiles
      lines.forEach((line, at) => context.fillText(fitted(context, line, cell * columns + 2), x, y - 3 - 14 * (above - 1 - at)));
    }
  }

  /** Strikes a tile out. */
  cross(context, tiles, index) {
    const { cell } = this.plan;
    const [x, y] = this.corner(index);
    const [wide, tall] = [cell * tiles.columns, cell * tiles.rows];
    context.fillStyle = this.board.theme.background;
    context.globalAlpha = 0.55;
    context.fillRect(x, y, wide, tall);
    context.globalAlpha = 1;
    context.strokeStyle = RED;
    context.lineWidth = 2;
    context.beginPath();
    context.moveTo(x + 2, y + 2);
    context.lineTo(x + wide - 2, y + tall - 2);
    context.moveTo(x + wide - 2, y + 2);
    context.lineTo(x + 2, y + tall - 2);
    context.stroke();
  }

  /** The marks beside the first tile of every row of tiles. */
  marks(context, tiles) {
    const { marks = [] } = this.spec;
    const { cell, across } = this.plan;
    context.font = this.font(10.5);
    context.fillStyle = this.board.theme.text;
    context.textAlign = "right";
    context.textBaseline = "middle";
    for (let index = 0; index < tiles.n; index += across) {
      const [x, y] = this.corner(index);
      marks.forEach((mark, row) => mark && context.fillText(mark, x - 5, y + (row + 0.5) * cell));
    }
  }

  labels(context, tiles) {
    if (tiles.n !== 1 && !this.spec.whole) return this.marks(context, tiles);
    const { spec, plan, rows, columns: names } = this;
    const [x, y] = this.corner(0);
    if (spec.plane) return void this.axes(context, x, y, plan.cell * tiles.columns, plan.cell * tiles.rows);
    // what the names stand beside: cells, or whole tiles and the gaps between them
    const wide = spec.whole ? plan.cell * tiles.columns : plan.cell;
    const tall = spec.whole ? plan.cell * tiles.rows : plan.cell;
    const [stepX, stepY] = spec.whole ? [wide + plan.gap, tall + plan.gap] : [wide, tall];
    const down = spec.whole ? Math.ceil(tiles.n / plan.across) : tiles.rows;
    const over = spec.whole ? Math.min(plan.across, tiles.n) : tiles.columns;
    const [allX, allY] = [(over - 1) * stepX + wide, (down - 1) * stepY + tall];
    context.font = this.font(11);
    context.fillStyle = this.board.theme.text;
    context.textBaseline = "middle";
    const every = Math.max(1, Math.ceil(12 / stepY)); // where rows are thin, not every one is named
    const each = Math.max(1, Math.ceil((this.steep ? 12 : 16) / stepX));
    context.textAlign = "right";
    const room = x - (spec.row_title ? 16 : 0) - 4;
    rows.forEach((word, row) => {
      if (row < down && row % every === 0) context.fillText(fitted(context, word, room), x - 5, y + row * stepY + tall / 2);
    });
    names.forEach((word, column) => {
      if (column >= over || column % each) return;
      context.save();
      context.translate(x + column * stepX + wide / 2, y - 4);
      if (this.steep) context.rotate(-Math.PI / 2);
      context.textAlign = this.steep ? "left" : "center";
      context.textBaseline = this.steep ? "middle" : "alphabetic";
      context.fillText(fitted(context, word, this.steep ? y - 8 - (spec.column_title ? 16 : 0) : each * stepX + 2), 0, 0);
      context.restore();
    });
    context.globalAlpha = 0.75;
    context.textAlign = "center";
    const above = names.length ? (this.steep ? Math.min(y - 24, Math.max(0, ...names.map((word) => context.measureText(word).width))) + 6 : 16) : 2;
    if (spec.column_title) context.fillText(spec.column_title, x + allX / 2, Math.max(8, y - above - 8));
    if (spec.row_title) {
      context.save();
      context.translate(Math.max(8, x - 5 - Math.max(0, ...rows.map((word) => context.measureText(word).width)) - 12), y + allY / 2);
      context.rotate(-Math.PI / 2);
      context.fillText(spec.row_title, 0, 0);
      context.restore();
    }
    context.globalAlpha = 1;
  }

  /** The axes of a plane: both ends and the middle of each, and its name. */
  axes(context, x, y, wide, tall) {
    const { plane: [low, high], row_title: up, column_title: right } = this.spec;
    context.font = this.font(11);
    context.fillStyle = this.board.theme.text;
    const said = [low, (low + high) / 2, high].map((one) => String(one).replace("-", "−"));
    context.textBaseline = "middle";
    context.textAlign = "right";
    said.forEach((word, i) => context.fillText(word, x - 4, y + tall * (1 - i / 2) + [-5, 0, 5][i]));
    said.forEach((word, i) => {
      context.textAlign = ["left", "center", "right"][i];
      context.fillText(word, x + (wide * i) / 2, y + tall + 9);
    });
    context.globalAlpha = 0.75;
    context.textAlign = "center";
    context.fillText(right, x + wide / 2, y + tall + 22);
    context.translate(x - 12, y + tall / 4);
    context.rotate(-Math.PI / 2);
    context.fillText(up, 0, 0);
    context.rotate(Math.PI / 2);
    context.translate(12 - x, -y - tall / 4);
    context.globalAlpha = 1;
  }

  /** Places that a press goes over, until the page has taken them. */
  stroked(context) {
    const [x, y] = this.corner(0);
    const [wide, tall] = [this.plan.cell * this.shown.columns, this.plan.cell * this.shown.rows];
    context.fillStyle = this.board.theme.text;
    for (const [across, down] of this.stroke ?? []) {
      context.beginPath();
      context.arc(x + across * wide, y + down * tall, 3, 0, 2 * Math.PI);
      context.fill();
    }
  }

  /** Whether a press draws: what is picked is where it went. */
  get draws() {
    return Object.values(this.spec.picks?.sets ?? {}).includes("stroke");
  }

  /** Gathers the places of a stroke, at least a little apart, and picks them when it ends. */
  drawOn(event) {
    if (!this.draws || !this.shown || this.lent || event.button !== 0) return;
    event.preventDefault();
    this.box.setPointerCapture?.(event.pointerId);
    const add = ({ clientX, clientY }) => {
      const box = this.canvas.getBoundingClientRect();
      const [x, y] = this.corner(0);
      const across = (clientX - box.left - x) / (this.plan.cell * this.shown.columns);
      const down = (clientY - box.top - y) / (this.plan.cell * this.shown.rows);
      const last = this.stroke.at(-1);
      if (across < 0 || across > 1 || down < 0 || down > 1) return;
      if (last && Math.hypot(across - last[0], down - last[1]) < 0.035) return;
      this.stroke.push([Number(across.toFixed(4)), Number(down.toFixed(4))]);
      this.dirty = true;
      this.board.schedule();
    };
    this.stroke = [];
    add(event);
    const end = ({ type }) => {
      for (const kind of ["pointermove", "pointerup", "pointercancel"]) this.box.removeEventListener(kind, kind === "pointermove" ? add : end);
      const { stroke } = this;
      this.stroke = null;
      this.dirty = true;
      this.board.schedule();
      if (type === "pointerup" && stroke.length) this.pick({ stroke });
    };
    this.box.addEventListener("pointermove", add);
    this.box.addEventListener("pointerup", end);
    this.box.addEventListener("pointercancel", end);
  }

  /** Whether one range of values holds for all there is to see, so that it can be said. */
  get ranged() {
    const { limits, whole } = this.spec;
    const { colours } = this;
    const pictures = whole && this.tiles && this.tiles.rows * this.tiles.columns > 1;
    return colours !== "rgb" && limits !== "each" && !pictures;
  }

  legend(tiles) {
    const show = this.ranged && tiles.depth === 1;
    this.scale.hidden = !show;
    if (!show) return;
    const [low, high] = this.limits(tiles, 0);
    this.bar.style.background = gradient(RAMPS[this.colours]);
    write(this.low, number(low, "3"));
    write(this.high, number(high, "3"));
    this.scale.style.top = `${this.plan.bottom + 4}px`;
  }

  hit(event) {
    if (!this.shown || !this.plan) return null;
    const box = this.canvas.getBoundingClientRect();
    const { cell } = this.plan;
    for (let index = 0; index < this.shown.n; index++) {
      const [x, y] = this.corner(index);
      const column = Math.floor((event.clientX - box.left - x) / cell);
      const row = Math.floor((event.clientY - box.top - y) / cell);
      const inside = row >= 0 && row < this.shown.rows && column >= 0 && column < this.shown.columns;
      if (inside) return this.spec.whole ? [index, 0, 0] : [index, row, column];
    }
    return null;
  }

  value([tile, row, column]) {
    const { values, rows, columns, depth } = this.shown;
    const at = (tile * rows + row) * columns + column;
    return depth === 1 ? this.meant(values[at]) : Array.from(values.subarray(at * depth, at * depth + 3));
  }

  /** Shows the cell under the pointer or the keys, and says its exact value. */
  point(at) {
    if (at && this.shown && (at[0] >= this.shown.n || at[1] >= this.shown.rows || at[2] >= this.shown.columns)) at = null;
    if (!at || !this.shown) return this.hide();
    this.at = at;
    const [tile, row, column] = at;
    const { spec } = this;
    const value = this.value(at);
    const names = [];
    if (this.names[tile]) names.push(this.names[tile].split("\n")[0]);
    else if (this.shown.n > 1) names.push(`#${tile}`);
    if (!spec.whole) {
      const { plane } = spec;
      const at = (part, of) => number(plane[0] + ((part + 0.5) / of) * (plane[1] - plane[0]), "3");
      const [across, down] = plane ? [at(column, this.shown.columns), at(this.shown.rows - 1 - row, this.shown.rows)] : [this.columns[column] ?? column, this.rows[row] ?? row];
      if (!plane) names.push(`${spec.row_title ? `${spec.row_title} ` : ""}${down}`);
      names.push(`${spec.column_title ? `${spec.column_title} ` : ""}${across}`);
      if (plane) names.push(`${spec.row_title ? `${spec.row_title} ` : ""}${down}`);
    }
    const single = !spec.whole || this.shown.rows * this.shown.columns === 1;
    const said = this.wonder(at) ?? (Array.isArray(value) ? (spec.plane ? "…" : value.join(", ")) : (spec.exact ? "≈ " : "") + (spec.exact ? number(value, "2") : exact(value)));
    write(this.tip, names.join(" · ") + (single ? `: ${said}` : ""));
    this.tip.hidden = false;
    this.frameCell(this.cursor, at);
    const [x, y] = this.corner(tile);
    const [, tall] = this.extent;
    const middle = x + (column + 0.5) * this.extent[0];
    const above = y + row * tall > 34;
    this.tip.style.top = `${above ? y + row * tall - 6 : y + (row + 1) * tall + 6}px`;
    this.tip.style.transform = `translate(-50%, ${above ? "-100%" : "0"})`;
    const half = this.tip.offsetWidth / 2;
    this.tip.style.left = `${clamp(middle, half, Math.max(half, this.body.clientWidth - half))}px`;
    return undefined;
  }

  /** Asks for the exact value of a cell, once; returns it when it is there. */
  wonder([, row, column]) {
    const { exact: name } = this.spec;
    if (!name || (this.lent && this.lent.unit < -1)) return undefined;
    const wanted = [this.lent ? this.lent.unit : -1, row, column];
    if (!same(wanted, this.wondered ?? [])) {
      this.wondered = wanted;
      this.board.asks.picked(name, { unit: wanted[0], row, col: column }, true);
    }
    const known = Array.from(flat(this.data.exact), Number);
    return same(wanted, known.slice(0, 3)) ? exact(known[3]) : undefined;
  }

  hide() {
    this.at = null;
    this.cursor.hidden = true;
    this.tip.hidden = true;
    if (!this.wondered) return;
    this.wondered = null;
    this.board.asks.drop(`pick/${this.spec.exact}`);
  }

  /** Width and height of what is pointed at. */
  get extent() {
    const { cell } = this.plan;
    return this.spec.whole ? [cell * this.shown.columns, cell * this.shown.rows] : [cell, cell];
  }

  frameCell(element, [tile, row, column]) {
    const [wide, tall] = this.extent;
    const [x, y] = this.corner(tile);
    element.hidden = false;
    element.style.cssText = `left:${x + column * wide}px;top:${y + row * tall}px;width:${wide}px;height:${tall}px`;
  }

  /** Frames the chosen cell: what a patch selects, else what was picked last. */
  mark() {
    if (this.shadows.length) {
      const [x, y] = this.corner(this.chosen); // the whole tile that is shown in full elsewhere
      const [wide, tall] = [this.plan.cell * this.shown.columns, this.plan.cell * this.shown.rows];
      this.selected.style.cssText = `left:${x}px;top:${y}px;width:${wide}px;height:${tall}px`;
      this.selected.hidden = false;
      return;
    }
    const given = this.data.select;
    const at = given ? Array.from(flat(given), Number) : this.picked;
    if (!at || at[0] >= this.shown.n || at[1] >= this.shown.rows || at[2] >= this.shown.columns) this.selected.hidden = true;
    else this.frameCell(this.selected, at);
  }

  choose(at) {
    if (!this.spec.picks) return;
    this.picked = at;
    this.mark();
    this.follow();
    const [, row, col] = at;
    const tile = this.source ? this.source.chosen : at[0];
    const value = this.value(at);
    this.pick({ tile, row, col, value: Array.isArray(value) ? undefined : value, x: col, y: row, name: this.spec.tiles[tile] });
  }

  key(event) {
    const move = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    const press = event.key === "Enter" || event.key === " ";
    if ((!move && !press) || !this.shown) return;
    event.preventDefault();
    event.stopPropagation();
    if (press) {
      if (this.at) this.choose(this.at);
      return;
    }
    let [tile, row, column] = this.at || this.picked || [0, 0, 0];
    const fresh = !this.at && !this.picked;
    if (!fresh) {
      const { n } = this.shown;
      const { rows, columns } = this.spec.whole ? { rows: 1, columns: 1 } : this.shown;
      const { across } = this.plan;
      row += move[0];
      column += move[1];
      // past a tile's edge lies its neighbour
      if (column < 0) [tile, column] = tile % across > 0 ? [tile - 1, columns - 1] : [tile, 0];
      else if (column >= columns) [tile, column] = (tile + 1) % across && tile + 1 < n ? [tile + 1, 0] : [tile, columns - 1];
      if (row < 0) [tile, row] = tile >= across ? [tile - across, rows - 1] : [tile, 0];
      else if (row >= rows) [tile, row] = tile + across < n ? [tile + across, 0] : [tile, rows - 1];
    }
    this.point([tile, row, column]);
  }
}

/** A number in the room of a cell. */
const short = (value) => (Number.isInteger(value) && Math.abs(value) < 1e5 ? String(value) : number(value, "2"));
/** A number to its last meaningful digit. */
const exact = (value) => (Number.isFinite(value) ? String(Number(value.toPrecision(7))).replace("-", "−") : number(value));

/** A text in lines that fit: broken between words, Chinese between any two characters. */
function wrapped(context, text, room) {
  return text.split("\n").flatMap((whole) => {
    const lines = [""];
    for (const word of whole.match(/ *([\u2e80-\uffff](?![\u3001\u3002\uff00-\uffef])|[\u2e80-\uffff]{2}|[^\u2e80-\uffff ]+( %)?)/g) ?? []) {
      if (!lines.at(-1) || context.measureText(lines.at(-1) + word).width <= room) lines[lines.length - 1] += word;
      else lines.push(word.trimStart());
    }
    return lines;
  });
}

function fitted(context, text, room) {
  if (context.measureText(text).width <= room) return text;
  let cut = text;
  while (cut.length > 1 && context.measureText(`${cut}…`).width > room) cut = cut.slice(0, -1);
  return `${cut}…`;
}

// --------------------------------------------------------------------------------------------------------- graph

class GraphFigure extends Figure {
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
    const edge = { group: svg("g", { class: "tr-edge" }), broad: svg("path", { class: "tr-broad" }), line: svg("path"), head: svg("path"), text: svg("text") };
    edge.group.append(edge.broad, edge.line, edge.head);
    this.lines.append(edge.group);
    this.marks.append(edge.text); // above all lines, below the boxes
    const press = () => this.press("edge", index);
    edge.text.addEventListener("click", press);
    this.pressed(edge.group, press, () => this.edges, index);
    return edge;
  }

  newNode(index) {
    const node = { group: svg("g", { class: "tr-node" }), box: svg("rect", { rx: 8 }), label: svg("text"), value: svg("text"), note: svg("text") };
    node.label.classList.add("tr-label");
    node.value.classList.add("tr-value");
    node.note.classList.add("tr-note");
    node.group.append(node.box, node.label, node.value, node.note);
    this.spots.append(node.group);
    this.pressed(node.group, () => this.press("node", index), () => this.nodes, index);
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
    if (Number.isFinite(value) && this.editing && text !== this.before) this.board.choose({ [this.spec.edits]: `${this.editing}=${value}` });
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
      const [value, ...rest] = notes[i] !== undefined ? notes[i].split("\n") : [values.length ? number(values[i], "3") : "", node.note || ""];
      const lines = [node.label || node.id, value, rest.filter(Boolean)];
      const widths = [...lines.slice(0, 2).map((line) => columns(line) * 7), ...lines[2].map((line) => columns(line) * 5.6)];
      const wide = clamp(Math.max(...widths) + 16, 34, 0.4 * this.body.clientWidth);
      const tall = 10 + 15 * (1 + (value || values.length ? 1 : 0)) + 12 * lines[2].length;
      boxes.set(node.id, { part: node.x, y: clamp(node.y * height, tall / 2 + 2, height - tall / 2 - 2), wide, tall, lines });
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
      for (const [key, one] of Object.entries({ x: x - wide / 2, y: y - tall / 2, width: wide, height: tall })) attribute(box, key, one);
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
      const colour = flows.length && Number.isFinite(flows[i]) ? css(table, place(Math.sign(flows[i]) * (0.35 + 0.65 * size), -1, 1)) : "";
      for (const path of [line, head]) {
        path.style.stroke = colour;
        path.style.strokeWidth = flows.length ? 1 + 3 * size : 1.4;
      }
      const said = data.marks ? data.marks[i] || "" : [edge.label, flows.length ? number(flows[i], "3") : ""].filter(Boolean).join(" ");
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
    const [left, right] = [Math.min(...boxes.map(({ x, wide }) => x - wide / 2)), Math.max(...boxes.map(({ x, wide }) => x + wide / 2))];
    const { scrollLeft, clientWidth } = this.body;
    if (!boxes.length || right - left > clientWidth || (left >= scrollLeft && right <= scrollLeft + clientWidth)) return;
    this.body.scrollTo({ left: (left + right - clientWidth) / 2, behavior: still() ? "auto" : "smooth" });
  }

  /** The width at which no box lies on its neighbour: the figure's own, or more on a phone, which then scrolls. */
  room(boxes) {
    let width = Math.max(this.body.clientWidth, this.spec.width || 0);
    for (const a of boxes) {
      for (const b of boxes) {
        const apart = b.part - a.part;
        if (apart > 0 && Math.abs(a.y - b.y) < (a.tall + b.tall) / 2) width = Math.max(width, Math.ceil(((a.wide + b.wide) / 2 + 6) / apart));
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

// ------------------------------------------------------------------------------------------------------- network

const HEAD = matchMedia("(pointer: coarse)").matches ? 82 : 54; // px over the units for a layer's name and tools
const COLUMN = 64; // px that a layer needs at least
const THICK = 4.5; // px of the largest weight's line
const REACHED = 6; // px from a line that still point at it

class NetworkFigure extends Figure {
  setup() {
    this.box = make("div", "tr-network", { tabindex: "0", role: "application" });
    this.canvas = make("canvas", "tr-canvas", { "aria-hidden": "true" });
    this.heads = make("div", "tr-heads");
    this.ring = make("div", "tr-cursor");
    this.tip = make("div", "tr-tip", { role: "status", "aria-live": "polite" });
    this.form = make("form", "tr-edit");
    this.box.append(this.canvas, this.ring, this.heads, this.tip, this.form);
    this.body.append(this.box);
    this.at = null; // what is pointed at: {layer, unit} or {layer, unit, input}
    this.form.hidden = this.ring.hidden = this.tip.hidden = true;
    this.box.addEventListener("pointermove", (event) => this.point(this.hit(event)));
    this.box.addEventListener("pointerleave", () => this.point(null));
    this.box.addEventListener("blur", () => this.form.hidden && this.point(null));
    this.box.addEventListener("click", (event) => event.target === this.canvas && this.press(this.hit(event)));
    this.box.addEventListener("keydown", (event) => this.key(event));
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.send();
    });
  }

  respec(spec) {
    super.respec(spec);
    this.stills = spec.layers[0].units.map(({ still }) => {
      if (!still) return null;
      const values = still.flat();
      return { values, rows: still.length, columns: still[0].length, bytes: false, most: Math.max(...values.map(Math.abs)) || 1 };
    });
    attribute(this.box, "aria-label", spec.alt || spec.title || spec.id);
    this.tools.replaceChildren(...spec.tools.map((tool) => this.tool(tool)));
    this.heads.replaceChildren(
      ...spec.layers.map(({ title, tools }) => {
        const head = make("div", "tr-column", {}, make("span"));
        write(head.firstChild, title);
        if (tools?.length) head.append(make("span", "tr-column-tools", {}, ...tools.map((tool) => this.tool(tool))));
        return head;
      }),
    );
    this.close();
  }

  /** A button or a list, whose choice is the page's. */
  tool({ label, help, sets, options, at }) {
    if (options) {
      const list = make("select", "tr-tool", { "aria-label": help, title: help });
      for (const one of options) list.append(make("option", "", {}, one.label));
      list.selectedIndex = at;
      list.onchange = () => this.board.choose(options[list.selectedIndex].sets);
      return list;
    }
    const button = make("button", "tr-tool", { type: "button", "aria-label": help, title: help }, label);
    button.disabled = !sets;
    button.onclick = () => this.board.choose(sets);
    return button;
  }

  patched() {
    super.patched();
    for (const map of this.shadows) map.dirty = true;
  }

  /** The maps that show the unit that is pointed at. */
  get shadows() {
    return [...this.board.figures.values()].filter((figure) => figure.spec.shows === this.spec.id);
  }

  /** The layers as {units, first, start}: how many, the place of the first in tiles, and of the weights into them. */
  get structure() {
    const sizes = Array.from(flat(this.shown.sizes), Number);
    let first = -sizes[0];
    let start = 0;
    return sizes.map((units, layer) => {
      const one = { units, first, start };
      first += units;
      if (layer) start += units * (sizes[layer - 1] + 1);
      return one;
    });
  }

  /** The inputs that the network is given, by their place in the drawing. */
  get given() {
    return this.spec.layers[0].units.flatMap((unit, place) => (unit.off ? [] : [place]));
  }

  weight(layer, unit, input) {
    const { start, units } = this.shownLayers[layer];
    const before = this.shownLayers[layer - 1].units;
    return flat(this.shown.weights)[input < 0 ? start + units * before + unit : start + unit * before + input];
  }

  draw() {
    const { body, spec } = this;
    if (!body.clientWidth) return false;
    this.shown = this.data; // once a drawing: it is asked for each weight
    const layers = (this.shownLayers = this.structure);
    if (layers.length < 2) return true;
    const ratio = window.devicePixelRatio || 1;
    const wide = Math.max(body.clientWidth, layers.length * COLUMN);
    const tall = body.clientHeight;
    if (this.canvas.width !== Math.round(wide * ratio) || this.canvas.height !== Math.round(tall * ratio)) {
      this.canvas.width = Math.round(wide * ratio);
      this.canvas.height = Math.round(tall * ratio);
      this.canvas.style.cssText = `width:${wide}px;height:${tall}px`;
      this.box.style.width = `${wide}px`;
    }
    // every input that could be given is drawn; of the other layers those that this moment's network has
    const counts = layers.map(({ units }, layer) => (layer ? units : spec.layers[0].units.length));
    const pitch = (wide - COLUMN) / (layers.length - 1);
    const room = (tall - HEAD - 4) / Math.max(...counts);
    const named = (tall - HEAD - 4) / counts[0] - 17; // an input's name stands under it
    const side = Math.floor(clamp(Math.min(room - 5, named, pitch * 0.62), 14, 46));
    const spots = counts.map((count, layer) => {
      const step = Math.min((tall - HEAD - 4) / count, side + 22);
      const top = HEAD + (tall - HEAD - count * step) / 2;
      return Array.from({ length: count }, (_, unit) => [COLUMN / 2 + layer * pitch, top + (unit + 0.5) * step]);
    });
    this.plan = { spots, side, wide };
    [...this.heads.children].forEach((head, layer) => {
      head.style.left = `${COLUMN / 2 + (layer * (wide - COLUMN)) / Math.max(1, this.heads.children.length - 1)}px`;
    });
    const context = this.canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, wide, tall);
    this.lines(context);
    this.units(context);
    this.mark();
    return true;
  }

  /** The place of a unit's middle; inputs are counted as the network is given them. */
  spot(layer, unit) {
    return this.plan.spots[layer][layer ? unit : this.given[unit]] || null;
  }

  lines(context) {
    const { side } = this.plan;
    const weights = flat(this.shown.weights);
    let most = 1e-12;
    for (let layer = 1; layer < this.shownLayers.length; layer++) {
      const { start, units } = this.shownLayers[layer];
      const size = units * this.shownLayers[layer - 1].units;
      for (let i = start; i < start + size; i++) if (Math.abs(weights[i]) > most && Math.abs(weights[i]) < Infinity) most = Math.abs(weights[i]);
    }
    this.most = most;
    context.lineCap = "butt";
    for (let layer = 1; layer < this.shownLayers.length; layer++) {
      const before = this.shownLayers[layer - 1].units;
      for (let unit = 0; unit < this.shownLayers[layer].units; unit++) {
        for (let input = 0; input < before; input++) {
          const [a, b] = [this.spot(layer - 1, input), this.spot(layer, unit)];
          const value = this.weight(layer, unit, input);
          if (!a || !b || !Number.isFinite(value)) continue;
          const size = Math.abs(value) / most;
          const middle = (a[0] + b[0]) / 2;
          context.beginPath();
          context.moveTo(a[0] + side / 2, a[1]);
          context.bezierCurveTo(middle, a[1], middle, b[1], b[0] - side / 2, b[1]);
          context.lineWidth = 0.4 + THICK * size;
          context.globalAlpha = 0.25 + 0.75 * Math.min(1, 2 * size);
          context.strokeStyle = value < 0 ? "#e07b16" : "#2f86d6";
          context.stroke();
        }
      }
    }
    context.globalAlpha = 1;
  }

  units(context) {
    const { spots, side } = this.plan;
    const { theme } = this.board;
    const atlas = this.painted();
    context.font = `11px ${theme.font}`;
    context.textBaseline = "middle";
    spots.forEach((column, layer) => {
      column.forEach(([x, y], place) => {
        const unit = this.spec.layers[layer ? (layer === spots.length - 1 ? this.spec.layers.length - 1 : layer) : 0]?.units[place] || {};
        const tile = layer ? this.shownLayers[layer].first + place : -1 - place;
        context.globalAlpha = unit.off ? 0.35 : 1;
        if (atlas.has(tile)) context.drawImage(this.sheet, ...atlas.get(tile), x - side / 2, y - side / 2, side, side);
        context.strokeStyle = unit.colour || theme.text;
        context.lineWidth = unit.colour ? 2.5 : 0.8;
        context.globalAlpha *= unit.colour ? 1 : 0.55;
        context.strokeRect(x - side / 2, y - side / 2, side, side);
        if (unit.label && !layer) {
          context.globalAlpha = unit.off ? 0.55 : 1;
          context.fillStyle = theme.text;
          context.textAlign = "center";
          context.fillText(unit.label, x, y + side / 2 + 7);
        }
        context.globalAlpha = 1;
        if (!layer) return;
        const bias = this.weight(layer, place, -1);
        context.fillStyle = bias < 0 ? "#e07b16" : "#2f86d6"; // the bias: a small square at the lower left
        const grain = Math.round(clamp(3 + 3 * Math.min(1, Math.abs(bias)), 3, 6));
        context.fillRect(x - side / 2 - grain - 1, y + side / 2 - grain, grain, grain);
      });
    });
  }

  /** A unit's map as {values, rows, columns, low, high}: bytes, or an input's own numbers. */
  tileOf(index, data = this.data) {
    const { tiles, scale } = data;
    if (!isArray(tiles) || index < 0 || index >= tiles.shape[0]) return null;
    const [, rows, columns] = tiles.shape;
    return { values: tiles.values.subarray(index * rows * columns, (index + 1) * rows * columns), rows, columns, bytes: true, most: flat(scale)[index] };
  }

  stillOf(place) {
    return this.stills[place] ?? null;
  }

  /** Paints the maps of all units and inputs on one sheet, below each other: one upload a drawing, and not one a unit.

      Returns where each lies, by the unit's place in `tiles` or -1 - the input's: [x, y, width, height]. */
  painted() {
    const places = new Map();
    const found = [];
    const inputs = this.spec.layers[0].units.map((_, place) => [-1 - place, this.stillOf(place)]);
    const count = isArray(this.shown.tiles) ? this.shown.tiles.shape[0] : 0;
    const units = Array.from({ length: count }, (_, index) => [index, this.tileOf(index, this.shown)]);
    let [wide, tall] = [1, 0];
    for (const [index, tile] of [...inputs, ...units]) {
      if (!tile) continue;
      places.set(index, [0, tall, tile.columns, tile.rows]);
      found.push([tall, tile]);
      wide = Math.max(wide, tile.columns);
      tall += tile.rows;
    }
    this.sheet ??= document.createElement("canvas");
    if (this.sheet.width !== wide || this.sheet.height !== Math.max(1, tall) || !this.image) {
      this.sheet.width = wide;
      this.sheet.height = Math.max(1, tall);
      this.image = new ImageData(wide, Math.max(1, tall));
    }
    const out = new Uint32Array(this.image.data.buffer);
    const table = (NetworkFigure.table ??= Uint32Array.from({ length: 256 }, (_, i) => {
      const [r, g, b] = RAMPS.diverging.subarray(3 * i, 3 * i + 3);
      return (255 << 24) | (b << 16) | (g << 8) | r; // as ImageData lies in memory
    }));
    for (const [top, { values, columns, bytes, most }] of found) {
      for (let i = 0, at = top * wide; i < values.length; i++) {
        out[at++] = table[bytes ? values[i] : place(values[i], -most, most)];
        if ((i + 1) % columns === 0) at += wide - columns;
      }
    }
    this.sheet.getContext("2d").putImageData(this.image, 0, 0);
    return places;
  }

  hit(event) {
    if (!this.plan || !this.shownLayers) return null;
    const box = this.canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const { spots, side } = this.plan;
    for (let layer = 0; layer < spots.length; layer++) {
      const unit = spots[layer].findIndex((spot) => Math.abs(x - spot[0]) <= side / 2 + 1 && Math.abs(y - spot[1]) <= side / 2 + 1);
      if (unit >= 0) return { layer, unit };
    }
    let found = null;
    let nearest = REACHED;
    for (let layer = 1; layer < spots.length; layer++) {
      const [from, to] = [spots[layer - 1][0][0] + side / 2, spots[layer][0][0] - side / 2];
      if (x < from || x > to) continue;
      const part = (x - from) / (to - from);
      let [low, high] = [0, 1]; // how far along the curves this x lies: the same for all of a gap
      for (let i = 0; i < 20; i++) {
        const t = (low + high) / 2;
        if (1.5 * (1 - t) * t + t ** 3 < part) low = t;
        else high = t;
      }
      const rise = 3 * low ** 2 - 2 * low ** 3;
      for (let unit = 0; unit < this.shownLayers[layer].units; unit++) {
        for (let input = 0; input < this.shownLayers[layer - 1].units; input++) {
          const [a, b] = [this.spot(layer - 1, input), this.spot(layer, unit)];
          if (!a || !b) continue;
          const apart = Math.abs(y - a[1] - (b[1] - a[1]) * rise);
          if (apart < nearest) [nearest, found] = [apart, { layer, unit, input }];
        }
      }
    }
    return found;
  }

  /** The place in `tiles` of the unit that is pointed at, or -1. */
  get pointed() {
    const { at } = this;
    return at && at.layer && at.input === undefined && this.shownLayers ? this.shownLayers[at.layer].first + at.unit : -1;
  }

  /** What the maps that show this network's units are to show instead of their own: {tile, name}, or null. */
  get lent() {
    const { at } = this;
    if (!at || at.input !== undefined) return null;
    const tile = at.layer ? this.tileOf(this.pointed) : this.stillOf(at.unit);
    return tile && { tile, name: this.name(at), unit: at.layer ? this.pointed : -2 };
  }

  name({ layer, unit }) {
    const { layers, words } = this.spec;
    const last = layer === this.shownLayers.length - 1;
    const own = layers[last ? layers.length - 1 : layer]?.units[unit]?.label;
    if (own && (!layer || last)) return own;
    return (words.unit || "{layer}.{unit}").replace("{layer}", layer).replace("{unit}", unit + 1);
  }

  source(layer, input) {
    return this.name({ layer: layer - 1, unit: layer === 1 ? this.given[input] : input });
  }

  point(at) {
    if (!this.form.hidden) return;
    const before = this.at;
    this.at = at;
    if (JSON.stringify(before) === JSON.stringify(at)) return;
    this.mark();
    for (const map of this.shadows) map.dirty = true;
    this.board.schedule();
  }

  /** The frame and the words of what is pointed at. */
  mark() {
    const { at, plan, spec } = this;
    this.tip.hidden = this.ring.hidden = true;
    if (!at || !plan || at.layer >= plan.spots.length || at.unit >= plan.spots[at.layer].length) return;
    let [x, y] = plan.spots[at.layer][at.unit];
    const { words } = spec;
    if (at.input === undefined) {
      const { side } = plan;
      this.ring.hidden = false;
      this.ring.style.cssText = `left:${x - side / 2}px;top:${y - side / 2}px;width:${side}px;height:${side}px`;
      const unit = at.layer ? null : spec.layers[0].units[at.unit];
      const said = unit ? unit.help || unit.label : `${this.name(at)} · ${words.bias} ${exact(this.weight(at.layer, at.unit, -1))} · ± ${number(flat(this.data.scale)[this.pointed], "3")}`;
      write(this.tip, said);
      y -= side / 2;
    } else {
      const from = this.spot(at.layer - 1, at.input);
      if (!from) return;
      [x, y] = [(x + from[0]) / 2, (y + from[1]) / 2 - 6];
      write(this.tip, `${this.source(at.layer, at.input)} → ${this.name(at)} · ${words.weight} ${exact(this.weight(at.layer, at.unit, at.input))}`);
    }
    this.tip.hidden = !this.form.hidden;
    const above = y > 40;
    this.tip.style.top = `${above ? y - 8 : y + (plan.side + 14)}px`;
    this.tip.style.transform = `translate(-50%, ${above ? "-100%" : "0"})`;
    const half = this.tip.offsetWidth / 2;
    this.tip.style.left = `${clamp(x, half, Math.max(half, plan.wide - half))}px`;
  }

  press(at) {
    if (!at) return this.close();
    if (at.layer === 0) {
      const { sets } = this.spec.layers[0].units[at.unit];
      if (sets) this.board.choose(sets);
      return undefined;
    }
    return this.spec.edits ? this.open(at) : undefined;
  }

  /** A small form with the weight of a line, or with all of a unit's. */
  open(at) {
    this.close();
    this.point(at);
    const { layer, unit } = at;
    const inputs = at.input === undefined ? [-1, ...Array(this.shownLayers[layer - 1].units).keys()] : [at.input];
    const { words } = this.spec;
    const rows = inputs.map((input) => {
      const value = Number(this.weight(layer, unit, input).toFixed(6));
      const field = make("input", "", { type: "number", step: "any", min: -999, max: 999, value });
      field.dataset.key = `${layer}.${unit}.${input < 0 ? "b" : input}`;
      field.dataset.before = String(value);
      return make("label", "", {}, make("span", "", {}, input < 0 ? words.bias : this.source(layer, input)), field);
    });
    const save = make("button", "tr-send", { type: "submit" }, words.set);
    const away = make("button", "tr-close", { type: "button", "aria-label": words.close }, "×");
    away.onclick = () => this.close();
    this.form.replaceChildren(make("b", "", {}, at.input === undefined ? this.name(at) : `→ ${this.name(at)}`), away, ...rows, save);
    this.form.hidden = false;
    this.tip.hidden = true;
    const [x, y] = this.plan.spots[layer][unit];
    const scrolled = this.body.scrollLeft;
    const { offsetWidth: wide, offsetHeight: tall } = this.form;
    this.form.style.left = `${clamp(x - wide - this.plan.side, scrolled, Math.max(scrolled, scrolled + this.body.clientWidth - wide))}px`;
    this.form.style.top = `${clamp(y - tall / 2, 0, Math.max(0, this.body.clientHeight - tall))}px`;
    this.form.querySelector("input").select();
  }

  /** What was changed in the form is chosen. */
  send() {
    const changed = [...this.form.querySelectorAll("input")].filter((field) => field.value !== "" && Number(field.value) !== Number(field.dataset.before));
    const entries = changed.map((field) => `${field.dataset.key}=${Number(Number(field.value).toFixed(6))}`);
    this.close();
    if (entries.length) this.board.choose({ [this.spec.edits]: entries });
    this.box.focus();
  }

  close() {
    if (this.form.hidden) return;
    this.form.hidden = true;
    this.form.replaceChildren();
    this.at = null;
    this.mark();
  }

  key(event) {
    if (event.target !== this.box) {
      if (event.key === "Escape" && !this.form.hidden) {
        event.stopPropagation();
        this.close();
        this.box.focus();
      }
      return;
    }
    const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    const press = event.key === "Enter" || event.key === " ";
    if ((!move && !press) || !this.plan) return;
    event.preventDefault();
    event.stopPropagation();
    if (press) {
      if (this.at) this.press(this.at);
      return;
    }
    const { spots } = this.plan;
    if (!this.at) return void this.point({ layer: 0, unit: 0 });
    const layer = clamp(this.at.layer + move[0], 0, spots.length - 1);
    this.point({ layer, unit: clamp(this.at.unit + move[1], 0, spots[layer].length - 1) });
  }
}

// --------------------------------------------------------------------------------------------------------- strip

class StripFigure extends Figure {
  setup() {
    this.row = make("div", "tr-strip", { role: "group" });
    this.empty = make("p", "tr-empty");
    this.body.append(this.row, this.empty);
    this.items = [];
  }

  newItem(index) {
    const item = { element: make("button", "tr-item", { type: "button" }), canvas: make("canvas"), text: make("span", "tr-guess"), bars: [], context: null };
    item.context = item.canvas.getContext("2d");
    item.element.append(make("span", "tr-picture", {}, item.canvas), item.text);
    for (let i = 0; i < 3; i++) {
      const bar = { row: make("span", "tr-bar"), fill: make("i"), text: make("b") };
      bar.row.append(bar.fill, bar.text);
      item.element.append(bar.row);
      item.bars.push(bar);
    }
    item.element.addEventListener("click", () => {
      if (!this.spec.picks) return;
      this.picked = index;
      this.dirty = true;
      this.board.schedule();
      const given = flat(this.data.index);
      this.pick({ index: given.length ? Number(given[index]) : index });
    });
    item.element.addEventListener("keydown", (event) => {
      const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!move) return;
      event.preventDefault();
      event.stopPropagation();
      this.items[clamp(index + move, 0, this.items.length - 1)].element.focus();
    });
    this.row.append(item.element);
    return item;
  }

  draw() {
    const { images, label, guess, probabilities } = this.data;
    const n = isArray(images) ? images.shape[0] : 0;
    write(this.empty, isArray(images) ? "" : this.board.say("no_data"));
    while (this.items.length > n) this.items.pop().element.remove();
    while (this.items.length < n) this.items.push(this.newItem(this.items.length));
    const [labels, guesses] = [flat(label), flat(guess)];
    const width = isArray(probabilities) ? probabilities.shape.at(-1) : 0;
    const name = (index) => this.spec.classes[index] ?? String(index);
    const size = this.spec.height - (width ? 3 * 13 : 0) - (guesses.length || labels.length ? 18 : 0) - 14;
    for (let i = 0; i < n; i++) {
      const item = this.items[i];
      const [, rows, columns] = images.shape;
      if (item.canvas.width !== columns || item.canvas.height !== rows) {
        item.canvas.width = columns;
        item.canvas.height = rows;
      }
      item.canvas.style.height = `${size}px`;
      this.paint(item, images, i, rows, columns);
      const [truth, guessed] = [labels[i] ?? -1, guesses[i]];
      const judged = truth >= 0 && guessed !== undefined;
      const right = judged && Number(truth) === Number(guessed);
      item.element.dataset.mark = judged ? (right ? "right" : "wrong") : "";
      const words = guessed !== undefined ? name(Number(guessed)) : truth >= 0 ? name(Number(truth)) : "";
      const full = judged && !right ? `${name(Number(truth))} → ${words}` : words;
      const marked = judged ? `${right ? "✓" : "✗"} ${full}` : full;
      write(item.text, marked);
      attribute(item.element, "title", full);
      attribute(item.element, "aria-label", marked || `#${i}`);
      item.element.classList.toggle("tr-picked", this.picked === i);
      const order = width ? Array.from({ length: width }, (_, k) => k).sort((a, b) => probabilities.values[i * width + b] - probabilities.values[i * width + a]) : [];
      item.bars.forEach((bar, at) => {
        bar.row.hidden = at >= order.length;
        if (bar.row.hidden) return;
        const value = probabilities.values[i * width + order[at]];
        bar.fill.style.width = `${clamp(100 * value, 0, 100)}%`;
        bar.row.dataset.truth = Number(truth) === order[at];
        write(bar.text, name(order[at]));
        attribute(bar.row, "title", `${name(order[at])} ${number(value, "%")}`);
      });
    }
    return true;
  }

  /** Puts image `i` on its canvas, if it is another than the one there. */
  paint(item, images, i, rows, columns) {
    const depth = images.shape[3] || 1;
    const bytes = images.values.subarray(i * rows * columns * depth, (i + 1) * rows * columns * depth);
    if (item.bytes && item.bytes.length === bytes.length && same(item.bytes, bytes)) return;
    item.bytes = bytes;
    const image = new ImageData(columns, rows);
    for (let p = 0; p < rows * columns; p++) {
      for (let c = 0; c < 3; c++) image.data[4 * p + c] = bytes[p * depth + (depth === 1 ? 0 : c)];
      image.data[4 * p + 3] = 255;
    }
    item.context.putImageData(image, 0, 0);
  }
}

// --------------------------------------------------------------------------------------------------------- links

const FAINT = 0.004; // a line weaker than this cannot be seen

class LinksFigure extends Figure {
  setup() {
    this.heads = make("div", "tr-ends", { "aria-hidden": "true" }, make("span"), make("span"));
    this.scroll = make("div", "tr-links");
    this.sheet = make("div", "tr-sheet");
    this.canvas = make("canvas", "tr-canvas", { "aria-hidden": "true" });
    this.sides = [make("div", "tr-side", { role: "group" }), make("div", "tr-side tr-right", { role: "group" })];
    this.sheet.append(this.canvas, ...this.sides);
    this.scroll.append(this.heads, this.sheet);
    this.empty = make("p", "tr-empty");
    this.body.append(this.scroll, this.empty);
    this.ends = [[], []]; // the words' elements, left and right
    this.hot = null; // [side, index] of the word pointed at
  }

  respec(spec) {
    super.respec(spec);
    write(this.heads.children[0], spec.left_title || "");
    write(this.heads.children[1], spec.right_title || "");
    this.heads.hidden = !spec.left_title && !spec.right_title;
    this.sides.forEach((side, i) => attribute(side, "aria-label", (i ? spec.right_title : spec.left_title) || spec.title || ""));
  }

  newWord(side, index) {
    const word = make("button", "tr-word", { type: "button" }, make("i"), make("span"));
    const heat = (on) => () => {
      const same = this.hot && this.hot[0] === side && this.hot[1] === index;
      if (on === !!same) return;
      this.hot = on ? [side, index] : null;
      this.paint();
    };
    word.addEventListener("pointerenter", heat(true));
    word.addEventListener("pointerleave", heat(false));
    word.addEventListener("focus", heat(true));
    word.addEventListener("blur", heat(false));
    word.addEventListener("click", () => this.pick({ [side ? "to" : "from"]: index }));
    word.addEventListener("keydown", (event) => {
      const move = { ArrowUp: -1, ArrowDown: 1 }[event.key];
      const over = { ArrowLeft: 0, ArrowRight: 1 }[event.key];
      if (move === undefined && over === undefined) return;
      event.preventDefault();
      event.stopPropagation();
      const list = this.ends[over ?? side];
      list[clamp(index + (move || 0), 0, list.length - 1)]?.focus();
    });
    this.sides[side].append(word);
    return word;
  }

  draw() {
    const width = this.body.clientWidth;
    if (!width) return false;
    const { left, right, weights } = this.data;
    this.shown = isArray(weights) ? { left, right, weights } : null;
    write(this.empty, this.shown ? "" : this.board.say("no_data"));
    this.scroll.hidden = !this.shown;
    if (!this.shown) return true;
    const most = Math.max(left.length, right.length);
    const room = this.body.clientHeight - (this.heads.hidden ? 0 : 20) - 2;
    this.row = clamp(Math.floor(room / most), 17, 30);
    this.sheet.style.height = `${this.row * most}px`;
    [left, right].forEach((list, side) => {
      const words = this.ends[side];
      while (words.length > list.length) words.pop().remove();
      while (words.length < list.length) words.push(this.newWord(side, words.length));
      list.forEach((text, i) => {
        write(words[i].lastChild, text);
        words[i].style.height = `${this.row}px`;
      });
    });
    this.paint();
    return true;
  }

  /** The lines, and beside the words the weights of the one pointed at. Only what lies in sight is drawn. */
  paint() {
    if (!this.shown) return;
    const { left, right, weights } = this.shown;
    const [n, m] = [left.length, right.length];
    const select = flat(this.data.select).map(Number);
    const hot = this.hot && this.hot[1] < (this.hot[0] ? m : n) ? this.hot : null;
    this.ends.forEach((words, side) => {
      words.forEach((word, i) => {
        let share = 0;
        if (hot && hot[0] !== side) share = weights.values[side ? hot[1] * m + i : i * m + hot[1]];
        word.firstChild.style.opacity = String(clamp(share, 0, 1));
        attribute(word, "aria-pressed", select[side] === i);
        attribute(word, "data-hot", !!hot && hot[0] === side && hot[1] === i);
        attribute(word, "title", hot && hot[0] !== side ? `${word.textContent}: ${exact(share)}` : word.textContent);
      });
    });
    const ratio = window.devicePixelRatio || 1;
    const width = this.sheet.clientWidth;
    const side = this.sides[0].offsetWidth;
    const tall = this.row * Math.max(n, m);
    const height = Math.min(tall, 8000); // a canvas has its limits
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.canvas.style.cssText = `width:${width}px;height:${height}px`;
    const context = this.canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    context.strokeStyle = this.board.theme.dark ? "#6db4f2" : "#1c6fc0";
    const [x0, x1] = [side + 4, width - side - 4];
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < m; j++) {
        if (hot && (hot[0] ? hot[1] !== j : hot[1] !== i)) continue;
        const weight = weights.values[i * m + j];
        if (!(weight > FAINT)) continue;
        context.globalAlpha = Math.min(1, weight);
        context.lineWidth = 1 + 2 * weight;
        context.beginPath();
        context.moveTo(x0, (i + 0.5) * this.row);
        context.lineTo(x1, (j + 0.5) * this.row);
        context.stroke();
      }
    }
    context.globalAlpha = 1;
  }
}

// --------------------------------------------------------------------------------------------------------- table

class TableFigure extends Figure {
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
    const most = columns.map((_, c) => Math.max(1e-12, ...names.map((_, r) => Math.abs(values.values[r * width + c]) || 0)));
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

const KINDS = { plot: PlotFigure, map: MapFigure, graph: GraphFigure, strip: StripFigure, links: LinksFigure, table: TableFigure, network: NetworkFigure };

// ------------------------------------------------------------------------------------------------ a run's record

let serial = 0;

/** What this page knows of one run: its state, its scalars, and the frames that fit in memory. */
class Run {
  constructor(id, aside = false) {
    this.id = id;
    this.aside = aside; // only drawn beside another
    this.origin = null; // [run, step] that it is a fork of
    this.serial = ++serial;
    this.cuts = 0;
    this.history = new History();
    this.status = "";
    this.total = 0;
    this.rate = null;
    this.place = null;
    this.viewers = 0;
    this.snapshots = [];
    this.listed = []; // steps that the server has frames of, ascending
    this.frames = new Map(); // step -> {step, patches, bytes}, least recently used first
    this.bytes = 0;
    this.missing = new Map(); // step -> when a fetch of it failed
    this.heard = false;
    this.since = performance.now(); // when its status was another last
  }

  get ended() {
    return ENDED.has(this.status);
  }

  get head() {
    return this.history.last;
  }

  /** The last step at or before `step` that can be forked, or -1. */
  mark(step) {
    return this.snapshots.reduce((found, one) => (one <= step && one > found ? one : found), -1);
  }

  /** Step of the last frame at or before `step`, or -1. */
  frameStep(step) {
    let found = this.cachedStep(step);
    for (const one of this.listed) if (one <= step && one > found) found = one;
    return found;
  }

  cachedStep(step) {
    let found = -1;
    for (const one of this.frames.keys()) if (one <= step && one > found) found = one;
    return found;
  }

  keep(step, patches, bytes) {
    this.drop(step);
    this.frames.set(step, { step, patches, bytes });
    this.bytes += bytes;
    for (const old of this.frames.keys()) {
      if (this.bytes <= CACHE || this.frames.size === 1 || old === step) break;
      this.drop(old);
    }
  }

  drop(step) {
    const old = this.frames.get(step);
    if (old) {
      this.bytes -= old.bytes;
      this.frames.delete(step);
    }
  }

  frame(step) {
    const found = this.frames.get(step);
    if (found) {
      this.frames.delete(step);
      this.frames.set(step, found);
    }
    return found;
  }

  rewind(step) {
    this.history.cut(step);
    this.cuts++;
    this.listed = this.listed.filter((one) => one <= step);
    this.snapshots = this.snapshots.filter((one) => one <= step);
    for (const one of [...this.frames.keys()]) if (one > step) this.drop(one);
  }
}

/** Fetches frames that were let go or never came: one at a time, and always the one wanted last. */
class Fetcher {
  constructor(board) {
    this.board = board;
    this.wanted = null;
    this.busy = false;
    this.count = 0;
  }

  want(run, step) {
    this.wanted = { run, step };
    if (!this.busy) this.next();
  }

  async next() {
    this.busy = true;
    while (this.wanted) {
      const { run, step } = this.wanted;
      this.wanted = null;
      if (run.frames.has(step) || performance.now() - (run.missing.get(step) ?? -1e9) < 3000) continue;
      try {
        this.count++;
        const answer = await fetch(this.board.url(`frame/${encodeURIComponent(run.id)}/${step}`));
        if (!answer.ok) throw new Error(String(answer.status));
        const buffer = await answer.arrayBuffer();
        const { header, arrays } = decode(buffer);
        run.keep(header.step, resolved(header.patches, arrays), buffer.byteLength);
        if (header.step !== step) run.listed = run.listed.filter((one) => one !== step);
      } catch {
        run.missing.set(step, performance.now()); // the nearest frame there is stays
      }
      this.board.moved = true;
      this.board.schedule();
    }
    this.busy = false;
  }
}

// -------------------------------------------------------------------------------------------------- the connection

/** The websocket: opened once, opened again after a break with the last step of each run it watches. */
class Link {
  constructor(board) {
    this.board = board;
    this.socket = null;
    this.connections = 0;
    this.messages = 0;
    this.tries = 0;
    this.lost = 0; // when the connection broke; 0 while it holds
    this.closed = false;
    this.again = () => {
      if (this.timer && !document.hidden) {
        clearTimeout(this.timer);
        this.open();
      }
    };
    window.addEventListener("online", this.again);
    document.addEventListener("visibilitychange", this.again);
  }

  get up() {
    return this.socket?.readyState === WebSocket.OPEN;
  }

  open() {
    this.timer = 0;
    if (this.closed || this.socket) return;
    const address = new URL(this.board.url(""));
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    address.pathname = address.pathname.replace(/\/$/, "");
    this.ticket = this.board.data.ticket || "";
    address.searchParams.set("t", this.ticket);
    const socket = (this.socket = new WebSocket(address));
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      this.connections++;
      this.refused = false;
      setTimeout(() => this.socket === socket && this.held(), 1000);
      for (const run of this.board.runs.values()) this.watch(run);
      this.board.asks.reconnected();
      this.board.schedule();
    };
    socket.onmessage = ({ data }) => {
      this.messages++;
      this.held();
      try {
        const { header, arrays } = decode(data);
        this.board.heed(header, arrays, data.byteLength);
      } catch (error) {
        console.error("message:", error);
      }
    };
    socket.onclose = ({ code }) => {
      if (this.socket !== socket) return;
      this.socket = null;
      this.board.box.tell(); // what was on its way may not have arrived
      if (this.closed) return;
      this.lost ||= performance.now();
      if (code === 4403) {
        this.refused = true; // until the page comes with another ticket
        this.expired();
        return;
      }
      const wait = Math.min(8000, 250 * 1.7 ** this.tries++) * (0.75 + 0.5 * Math.random());
      this.timer = setTimeout(() => this.open(), wait);
      this.board.schedule();
      setTimeout(() => this.board.schedule(), 700);
    };
  }

  /** The connection does more than open: the next break is a first one again. */
  held() {
    if (!this.lost && !this.tries) return;
    this.tries = 0;
    this.lost = 0;
    this.board.schedule();
  }

  /** Says that the ticket is no longer good: at once, or as soon as the words for it are here. */
  expired() {
    if (this.refused) this.board.dock.notice("expired", this.board.say("expired"), "error");
  }

  /** A rerun of the page may bring another ticket; it counts from the next connection on. */
  renewed() {
    if (this.refused && this.ticket !== this.board.data.ticket) {
      this.board.dock.dismiss("expired");
      this.refused = false;
      this.open();
    }
  }

  send(message) {
    if (this.up) this.socket.send(JSON.stringify(message));
    return this.up;
  }

  watch(run) {
    this.send({ op: "watch", run: run.id, from: run.head, aside: run.aside });
  }

  leave(run) {
    this.send({ op: "leave", run: run.id });
  }

  close() {
    this.closed = true;
    clearTimeout(this.timer);
    window.removeEventListener("online", this.again);
    document.removeEventListener("visibilitychange", this.again);
    this.socket?.close(1000);
  }
}

/** Questions: those of the page and those of clicks, asked again as the playhead's frame changes. */
class Asks {
  constructor(board) {
    this.board = board;
    this.standing = new Map(); // key -> {name, args, follow, once, asked, at, flight}
    this.flights = new Map(); // id -> key
    this.id = 0;
  }

  /** The page's standing questions. They follow the moment on show, or with `follow` false are asked once of each run,
      or with `once` are about no run, only about what they ask with. */
  page(list) {
    const keys = new Set();
    (list || []).forEach(({ name, args, follow = true, once = false }, index) => {
      const key = `page/${name}/${index}`;
      keys.add(key);
      const known = this.standing.get(key);
      const unchanged = known && JSON.stringify(known.args) === JSON.stringify(args || {});
      if (!unchanged) this.ask(key, name, args || {}, follow && !once, once);
    });
    for (const key of [...this.standing.keys()]) {
      if (key.startsWith("page/") && !keys.has(key)) this.drop(key);
    }
  }

  /** Nobody asks this any more: what it brought goes. */
  drop(key) {
    this.standing.delete(key);
    this.board.dock.dismiss(`refused ${key}`);
    for (const figure of this.board.figures.values()) if (figure.answers.delete(key)) figure.patched();
  }

  ask(key, name, args, follow, once = false) {
    const known = this.standing.get(key);
    this.standing.delete(key); // what is asked last stands last
    this.standing.set(key, { name, args, follow, once, asked: null, at: known?.at ?? -1e9, flight: known?.flight ?? 0 });
    this.board.moved = true;
    this.board.schedule();
  }

  /** A gesture asks: the same question as before, with what it says anew (a layer here, an image there). */
  picked(name, args, follow) {
    const key = `pick/${name}`;
    this.ask(key, name, { ...this.standing.get(key)?.args, ...args }, follow);
  }

  /** Sends what is due; returns in how many ms something will be. */
  send(now) {
    const { run, playhead } = this.board;
    let wait = Infinity;
    if (!run || !run.history.rows.n || !this.board.link.up || run.status === "queued") return wait;
    const live = playhead.follow && !run.ended;
    const frame = run.frameStep(playhead.step);
    const moment = `${run.serial} ${run.cuts} ${frame >= 0 ? frame : playhead.step} ${run.ended}`;
    for (const [key, one] of this.standing) {
      if (one.asked !== null && (one.asked === moment || !one.follow)) continue;
      if (one.flight) continue;
      const due = one.asked === null ? 0 : ASKING - (now - one.at);
      if (due > 0) {
        wait = Math.min(wait, due);
        continue;
      }
      const id = ++this.id;
      if (!this.board.link.send({ op: "ask", id, run: run.id, step: live ? null : playhead.step, name: one.name, args: one.args })) continue;
      Object.assign(one, { asked: moment, at: now, flight: id });
      this.flights.set(id, key);
    }
    return wait;
  }

  /** An answer or a refusal came: returns the question's key, or null if nobody waits for it any more. */
  landed(id) {
    const key = this.flights.get(id);
    this.flights.delete(id);
    const one = this.standing.get(key);
    if (one?.flight === id) one.flight = 0;
    this.board.schedule();
    return one ? key : null;
  }

  /** Another run: the page's questions and those that follow are asked of it too, the others were about the old one. */
  left() {
    for (const [key, one] of [...this.standing]) {
      if (one.once && one.asked !== null && !one.flight) continue;
      one.asked = null;
      one.flight = 0;
      if (!one.follow && !key.startsWith("page/")) this.drop(key);
    }
    this.flights.clear();
  }

  reconnected() {
    for (const one of this.standing.values()) if (one.flight) Object.assign(one, { flight: 0, asked: null });
    this.flights.clear();
  }
}

// --------------------------------------------------------------------------------------------------- the playhead

/** Where the viewer is. `follow`: at the head as it moves; `playing`: replaying towards it; neither: staying. */
class Playhead {
  constructor() {
    this.step = -1;
    this.follow = true;
    this.playing = false;
    this.speed = 1;
    this.position = 0;
    this.pacing = 0; // when the first second of a fast run began
    this.at = 0;
  }

  /** Moves to `step` and stays there. */
  go(step, run) {
    this.playing = false;
    this.pacing = 0;
    this.step = step;
    this.follow = step >= run.head;
  }

  play(from) {
    this.step = from;
    this.position = from;
    this.playing = true;
    this.follow = false;
    this.pacing = 0;
    this.at = 0;
  }

  stay() {
    this.playing = false;
    this.pacing = 0;
    this.follow = false;
  }

  live() {
    this.playing = false;
    this.pacing = 0;
    this.follow = true;
  }

  pace(now) {
    this.live();
    this.pacing = now;
  }

  /** Moves on; returns whether it will have to move again by itself. */
  advance(now, run) {
    const { head, history } = run;
    if (head < 0) {
      this.step = -1;
      return false;
    }
    const own = run.params?.pace;
    const rate = (own > 0 && own <= WATCHED ? own : Math.max(Math.max(run.total, head) / REPLAY, 1.5)) * this.speed; // steps a second
    if (this.pacing) {
      const passed = (now - this.pacing) / 1000;
      this.step = Math.min(head, Math.floor(history.first + passed * rate));
      if (passed < 1 && !run.ended) return true;
      if (run.ended || head >= FAST * run.total) this.play(this.step);
      else this.live();
    }
    if (this.follow) {
      this.step = head;
      return false;
    }
    if (!this.playing) {
      if (this.step > head) this.step = head;
      return false;
    }
    const passed = this.at ? Math.min(0.25, (now - this.at) / 1000) : 0;
    this.at = now;
    this.position = Math.max(this.position, history.first) + passed * rate;
    const n = history.rows.upTo(this.position);
    this.step = n ? history.rows.steps[n - 1] : history.first;
    if (this.step >= head) this.live();
    return this.playing;
  }
}

// ------------------------------------------------------------------------------------------------------- the dock

const ICONS = {
  back: "M6 5h2.2v14H6zM19 5v14l-9.5-7z",
  play: "M7 4.5v15l12-7.5z",
  pause: "M6 5h4v14H6zM14 5h4v14h-4z",
  forward: "M15.8 5H18v14h-2.2zM5 5v14l9.5-7z",
  stop: "M6 6h12v12H6z",
  fork: "M5 3h2.6v4.6L12 12l4.4-4.4V3H19v5.7l-5.7 5.7V21h-2.6v-6.6L5 8.7z",
  save: "M10.9 3.5h2.2v8.7l3.2-3.2 1.6 1.6-5.9 5.9-5.9-5.9L7.7 9l3.2 3.2zM5 18.5h14v2.2H5z",
};

/** What sticks to the foot of the board: notices and the player. */
class Dock {
  constructor(board) {
    this.board = board;
    this.element = make("div", "tr-dock");
    this.notices = make("div", "tr-notices", { role: "status", "aria-live": "polite" });
    this.player = make("div", "tr-player", { role: "group" });
    this.shown = new Map(); // notice's key -> element
    this.closed = new Set();
    const button = (name, action) => {
      const path = svg("path", { d: ICONS[name] });
      const picture = svg("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" });
      picture.append(path);
      const element = make("button", `tr-button tr-${name}`, { type: "button" }, picture);
      element.onclick = action;
      return element;
    };
    this.back = button("back", () => board.stepBy(-1));
    this.play = button("play", () => board.toggle());
    this.forward = button("forward", () => board.stepBy(1));
    this.stop = button("stop", () => board.tell("stop"));
    this.fork = button("fork", () => board.fork());
    this.save = make("a", "tr-button tr-save", { download: "" }, button("save").firstChild);
    this.scrub = make("input", "tr-scrub", { type: "range", min: "0", max: "1", step: "1", value: "0" });
    this.scrub.oninput = () => board.scrubbed(Number(this.scrub.value));
    this.ticks = svg("svg", { class: "tr-ticks", "aria-hidden": "true", preserveAspectRatio: "none", viewBox: "0 0 1000 10" });
    this.tickPath = svg("path", { "vector-effect": "non-scaling-stroke" });
    this.ticks.append(this.tickPath);
    this.track = make("div", "tr-track", {}, this.scrub, this.ticks);
    this.count = make("output", "tr-count", { "aria-live": "off" });
    this.speed = make("select", "tr-speed");
    for (const speed of SPEEDS) this.speed.append(make("option", "", { value: speed }, `${speed}×`));
    this.speed.value = "1";
    this.speed.onchange = () => {
      board.playhead.speed = Number(this.speed.value);
      board.schedule();
    };
    this.chip = make("span", "tr-chip");
    this.progress = make("span", "tr-progress");
    this.watching = make("span", "tr-watching");
    this.status = make("span", "tr-status");
    this.live = make("button", "tr-live", { type: "button" });
    this.live.onclick = () => {
      board.playhead.live();
      board.changed();
    };
    this.player.append(
      make("div", "tr-controls", {}, this.back, this.play, this.forward, this.stop, this.fork),
      this.track,
      make("div", "tr-where", {}, this.count, this.speed),
      make("div", "tr-state", {}, this.chip, this.live, this.progress, this.watching, this.status, this.save),
    );
    this.element.append(this.notices, this.player);
    this.marks = "";
  }

  /** The words of the language in force. */
  words() {
    const say = (key) => this.board.say(key);
    for (const [element, key] of [[this.back, "step_back"], [this.forward, "step_forward"], [this.stop, "stop"], [this.live, "to_live"], [this.save, "save"]]) {
      attribute(element, "aria-label", say(key));
      attribute(element, "title", say(key));
    }
    attribute(this.player, "aria-label", say("keys"));
    attribute(this.scrub, "aria-label", say("scrubber"));
    attribute(this.scrub, "title", say("keys"));
    attribute(this.speed, "aria-label", say("speed"));
    attribute(this.speed, "title", say("speed"));
    write(this.live, say("live"));
  }

  /** The player as things stand. */
  render(now) {
    const { board } = this;
    const { run, playhead, link } = board;
    const head = run ? run.head : -1;
    const ready = head >= 0;
    const total = run ? Math.max(run.total, head, 1) : 1;
    const running = run?.status === "running";
    const going = playhead.playing || playhead.pacing || (playhead.follow && running);
    const atHead = playhead.follow || playhead.step >= head;
    // what the middle button would do
    const key = going ? (playhead.follow && running && !playhead.pacing ? "halt" : "pause") : atHead && run?.status === "paused" ? "resume" : "play";
    attribute(this.play, "aria-label", board.say(key));
    attribute(this.play, "title", board.say(key));
    attribute(this.play.firstChild.firstChild, "d", going ? ICONS.pause : ICONS.play);
    this.play.disabled = !ready;
    this.back.disabled = !ready || playhead.step <= run.history.first;
    this.forward.disabled = !ready || (atHead && run.status !== "paused");
    this.stop.disabled = !run || run.ended || !run.status;
    const mark = ready ? run.mark(playhead.step) : -1;
    const fork = mark < 0 ? board.say("no_fork") : board.say("fork", { at: mark });
    attribute(this.fork, "aria-label", fork);
    attribute(this.fork, "title", fork);
    this.fork.disabled = mark < 0;
    this.save.hidden = !ready;
    if (ready) attribute(this.save, "href", board.url(`record/${encodeURIComponent(run.id)}`));
    this.scrub.disabled = !ready;
    attribute(this.scrub, "max", total);
    const step = Math.max(0, playhead.step);
    if (this.scrub.value !== String(step)) this.scrub.value = String(step);
    attribute(this.scrub, "aria-valuetext", `${board.say("step")} ${step} ${board.say("of")} ${total}`);
    this.track.style.setProperty("--head", `${(100 * Math.max(0, head)) / total}%`);
    this.track.style.setProperty("--at", `${(100 * step) / total}%`);
    const counted = `${step} / ${total}`;
    write(this.count, !ready ? "" : board.spec.language === "zh" ? `${counted} ${board.say("step")}` : `${board.say("step")} ${counted}`);
    this.mark(run, total);
    // the line below
    let state = run ? run.status || "starting" : "";
    if (link.lost && now - link.lost > 500) state = "reconnecting";
    if (run && !run.heard && state !== "reconnecting") state = "loading";
    attribute(this.chip, "data-state", state);
    write(this.chip, state ? board.say(state, { place: run?.place ?? "" }) : "");
    this.live.hidden = !run || run.ended || atHead || !ready;
    write(this.progress, this.pace(run, head));
    const viewers = run && !run.ended && run.viewers > 1 ? board.say("viewers", { n: run.viewers }) : "";
    write(this.watching, viewers);
    write(this.status, board.data.status || "");
  }

  /** Rate and time left, where a run takes more than two seconds. */
  pace(run, head) {
    const { board } = this;
    if (!run || run.status !== "running" || !run.rate || !(run.total / run.rate > 2)) return "";
    const seconds = Math.max(0, (run.total - head) / run.rate);
    const time = seconds < 90 ? board.say("seconds", { n: Math.ceil(seconds) }) : board.say("minutes", { n: Math.round(seconds / 60) });
    return [
      `${Math.floor((100 * Math.max(0, head)) / run.total)} %`,
      board.say("rate", { rate: number(run.rate, run.rate < 10 ? "2" : "3") }),
      board.say("left", { time }),
    ].join(" · ");
  }

  /** Ticks at the steps that have a snapshot. */
  mark(run, total) {
    const marks = run ? run.snapshots.map((step) => `M${((1000 * step) / total).toFixed(1)} 0V10`).join("") : "";
    if (marks !== this.marks) attribute(this.tickPath, "d", (this.marks = marks) || "M0 0");
  }

  /** A sentence that stays until it is dismissed; the same key is the same notice. */
  notice(key, text, kind = "note") {
    if (!text || this.closed.has(`${key} ${text}`)) return;
    let element = this.shown.get(key);
    if (!element) {
      const close = make("button", "tr-close", { type: "button", "aria-label": this.board.say("dismiss") || "×" }, "×");
      element = make("div", "tr-notice", {}, make("span"), close);
      close.onclick = () => {
        this.closed.add(`${key} ${element.firstChild.textContent}`);
        this.dismiss(key);
      };
      this.shown.set(key, element);
      while (this.shown.size > 3) this.dismiss(this.shown.keys().next().value);
      this.notices.append(element);
    }
    element.dataset.kind = kind;
    write(element.firstChild, text);
  }

  dismiss(key) {
    this.shown.get(key)?.remove();
    this.shown.delete(key);
  }

  /** Another run: what was said about the old one goes. */
  clear() {
    for (const key of [...this.shown.keys()]) if (key !== "expired" && key !== "moved") this.dismiss(key);
    this.closed.clear();
  }
}

// -------------------------------------------------------------------------------------------------------- the box

let boxes = 0;

/** The text that a run is about, above the figures. Its run is begun over the live connection and drawn; only then does
    the page hear of the text, so that drawing the page again does not keep the figures waiting. */
class Box {
  constructor(board) {
    this.board = board;
    this.base = ""; // what was sent last, or what the page has
    this.number = 0; // of what was sent last
    this.sent = null; // {text, n, run, id}: what the page has not heard of yet
    this.area = make("textarea", "", { id: `tr-box-${++boxes}`, spellcheck: "false", autocapitalize: "sentences" });
    this.label = make("label", "", { for: this.area.id });
    this.help = make("span", "tr-help");
    this.count = make("span", "tr-help", { id: `${this.area.id}-count` });
    this.fault = make("p", "tr-wrong", { id: `${this.area.id}-fault`, role: "alert" });
    this.button = make("button", "tr-send", { type: "button" });
    this.area.setAttribute("aria-describedby", `${this.count.id} ${this.fault.id}`);
    const foot = make("div", "tr-box-foot", {}, this.count, this.button);
    this.element = make("div", "tr-box", { hidden: "" }, make("div", "tr-box-head", {}, this.label, this.help), this.area, this.fault, foot);
    this.area.addEventListener("input", () => this.render());
    this.area.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.isComposing) return;
      event.preventDefault();
      if (this.send()) event.stopPropagation(); // else it is the page's own key: run the same again
    });
    this.button.addEventListener("click", () => this.send());
    this.area.addEventListener("blur", ({ relatedTarget }) => {
      if (relatedTarget !== this.button) this.send(true); // on the way to another button, which the page hears of at once
    });
  }

  /** Whether the page has heard of the last text. */
  heard(given) {
    return !given || given.n >= this.number;
  }

  /** What the page says. A text it got from elsewhere replaces what is here; a text still on its way to it stays. */
  update(given) {
    this.given = given;
    this.element.hidden = !given;
    if (!given) return;
    write(this.label, given.label);
    write(this.help, given.help || "");
    attribute(this.area, "rows", given.lines);
    if (this.heard(given)) {
      if (given.value !== this.base) this.area.value = this.base = given.value;
      this.wrong(given.error);
    }
    this.render();
  }

  render() {
    const { given, board } = this;
    if (!given) return;
    const n = [...this.area.value].length;
    write(this.count, board.say("characters", { n, longest: given.longest }));
    attribute(this.count, "data-over", n > given.longest);
    write(this.button, board.say("send"));
    this.button.disabled = this.area.value === this.base;
  }

  wrong(text) {
    write(this.fault, text || "");
    this.fault.hidden = !text;
    attribute(this.area, "aria-invalid", !!text);
  }

  /** Sends the text if it is another; whether it was. `slow`: by way of the page alone. */
  send(slow = false) {
    const text = this.area.value;
    if (!this.given || text === this.base) return false;
    this.base = text;
    this.number = Math.max(this.number + 1, Date.now());
    this.wrong("");
    this.sent = { text, n: this.number, run: "", id: 0 };
    if (slow || !this.begin(text)) this.tell();
    else setTimeout((sent) => sent === this.sent && this.tell(), HEARD, this.sent);
    this.render();
    return true;
  }

  /** Begins the run by itself; false where that cannot be. */
  begin(text) {
    const { board, given, sent } = this;
    if (!board.run || !given.settings || text.length > LONG) return false;
    sent.id = ++board.asks.id;
    const settings = { ...given.settings, [given.field]: text };
    return board.link.send({ op: "begin", id: sent.id, run: board.run.id, settings });
  }

  /** The run that was begun. */
  begun({ id, run }) {
    if (id && id === this.sent?.id) this.sent.run = run;
  }

  /** Whether a refusal is of this text: it is said here, and the page keeps the text to be mended. */
  refused(id, words) {
    if (!id || id !== this.sent?.id) return false;
    this.wrong(words);
    this.tell();
    return true;
  }

  /** Called after each drawing: once the figures have the new run's first picture, the page may take its time. */
  drawn() {
    const { board, sent } = this;
    const there = sent?.run && board.run?.id === sent.run && board.frame?.run === board.run;
    if (there && ![...board.figures.values()].some((figure) => figure.dirty && figure.visible)) this.tell();
  }

  /** Lets the page know, once; after the picture that is about to be painted. */
  tell() {
    const { sent } = this;
    if (!sent) return;
    this.sent = null;
    const { text, n, run } = sent;
    const say = () => this.board.setStateValue?.("box", { text, n, run });
    if (run) requestAnimationFrame(() => setTimeout(say));
    else say();
  }
}

// ------------------------------------------------------------------------------------------------------ the board

const replayed = new Set(); // runs that were shown from the start once

class Board {
  constructor(parent, component) {
    this.parent = parent;
    this.spec = { figures: [], names: {}, ui: {}, language: "en" };
    this.figures = new Map();
    this.runs = new Map();
    this.run = null;
    this.pageRun = undefined; // what the page last asked for
    this.playhead = new Playhead();
    this.data = component.data;
    this.choices = Date.now();
    this.root = make("div", "tr-board", { "data-waiting": "" });
    this.grid = make("div", "tr-grid");
    this.dock = new Dock(this);
    this.box = new Box(this);
    this.link = new Link(this);
    this.asks = new Asks(this);
    this.fetcher = new Fetcher(this);
    this.root.append(this.box.element, this.grid, this.dock.element);
    parent.append(this.root);
    this.theme = themeOf(this.root);
    this.palette = null;
    this.frame = null; // the frame on screen
    this.pictured = false; // there are pictures in this lesson, not only numbers
    this.moved = true; // there is another moment to show
    this.readAgain = true;
    this.readAt = -1e9;
    this.tick = (now) => this.step(now);
    this.keys = (event) => this.key(event);
    document.addEventListener("keydown", this.keys);
    this.reach = new IntersectionObserver(
      (entries) => {
        for (const { target, isIntersecting } of entries) {
          const figure = this.figures.get(target.dataset.figure);
          if (figure) figure.near = isIntersecting;
        }
        this.schedule();
      },
      { rootMargin: "120px" },
    );
    this.sight = new IntersectionObserver(
      (entries) => {
        for (const { target, isIntersecting } of entries) {
          const figure = this.figures.get(target.dataset.figure);
          if (figure) figure.visible = isIntersecting;
        }
        this.schedule();
      },
      { rootMargin: "0px 0px -80px" }, // the dock covers the foot of the page
    );
    this.sizes = new ResizeObserver((entries) => {
      for (const { target } of entries) this.figures.get(target.parentElement?.dataset.figure)?.resized();
      this.schedule();
    });
    this.watchTheme();
    this.update(component);
    this.link.open();
  }

  /** Puts the board into another element: Streamlit made a new one for the same component. */
  adopt(parent) {
    this.parent = parent;
    parent.append(this.root);
    this.watchTheme();
  }

  /** The theme is on some element above: whichever changes, the colours are read again. */
  watchTheme() {
    this.themes?.disconnect();
    this.themes = new MutationObserver(() => this.retheme());
    for (let element = this.parent; element; element = element.parentElement) {
      this.themes.observe(element, { attributes: true, attributeFilter: ["class", "style", "data-theme"] });
    }
  }

  retheme() {
    const theme = themeOf(this.root);
    if (theme.key === this.theme.key) return;
    this.theme = theme;
    attribute(this.root, "data-dark", theme.dark);
    for (const figure of this.figures.values()) figure.changed();
    this.changed();
  }

  // what the page says

  /** A rerun of the page: new data and new ways to call back; the connection and the figures stay. */
  update({ data, setStateValue, setTriggerValue }) {
    this.data = data || {};
    this.setStateValue = setStateValue;
    this.setTriggerValue = setTriggerValue;
    this.plotly = this.resolve(this.data.plotly || this.data.assets?.["plotly.min.js"]);
    this.style(this.data.css || this.data.assets?.["live.css"]);
    this.retheme();
    attribute(this.root, "data-dark", this.theme.dark);
    this.link.renewed();
    this.load(this.data.spec);
    const wanted = this.data.run ?? null;
    if (wanted !== this.pageRun) {
      // a rerun that was on its way while this page moved to a copy still names the old run: that is no change
      this.pageRun = wanted;
      // nor is what a page says that has yet to hear of the last text
      if (this.box.heard(this.data.box) && wanted !== (this.run?.id ?? null)) this.show(wanted);
    }
    this.asks.page(this.data.asks);
    this.box.update(this.data.box);
    this.changed();
  }

  /** Where this module's own files lie: beside it, under whatever path the server is mounted at. */
  url(path) {
    const own = new URL(import.meta.url, location.href);
    const base = /^https?:$/.test(own.protocol) && own.pathname.includes("/live/")
      ? new URL(own.pathname.slice(0, own.pathname.indexOf("/live/") + 6), own) : new URL("/live/", location.href);
    return new URL(path, base).href;
  }

  resolve(path) {
    return path?.startsWith("/live/") ? this.url(path.slice(6)) : path && new URL(path, location.href).href;
  }

  style(path) {
    if (!path) return;
    const href = this.resolve(path);
    if ([...document.querySelectorAll("link[rel=stylesheet]")].some((one) => one.href === href)) return;
    const link = make("link", "", { rel: "stylesheet", href });
    this.root.style.visibility = "hidden"; // nothing is shown unstyled
    link.onload = link.onerror = () => {
      this.root.style.visibility = "";
      this.retheme();
      this.schedule();
    };
    document.head.append(link);
  }

  async load(path) {
    if (!path || path === this.specPath) return;
    this.specPath = path;
    try {
      const answer = await fetch(this.resolve(path));
      if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
      const spec = await answer.json();
      if (path === this.specPath) this.respec(spec);
    } catch (error) {
      if (path !== this.specPath) return;
      console.error("spec:", error);
      this.specPath = null; // asked for again at the next rerun, or in a moment
      setTimeout(() => !this.gone && this.load(this.data.spec), 2000);
    }
  }

  /** Figures of equal id and kind are changed in place, new ones added, old ones removed. */
  respec(spec) {
    const language = this.spec.language;
    this.spec = { names: {}, ui: {}, figures: [], ...spec };
    this.link.expired();
    attribute(this.root, "lang", this.spec.language === "zh" ? "zh-CN" : this.spec.language || "en");
    const ids = new Set(this.spec.figures.map((one) => one.id));
    for (const [id, figure] of [...this.figures]) {
      const now = this.spec.figures.find((one) => one.id === id);
      if (!ids.has(id) || now.kind !== figure.spec.kind) this.remove(id);
    }
    this.spec.figures.forEach((one, index) => {
      let figure = this.figures.get(one.id);
      try {
        if (!figure) {
          figure = new KINDS[one.kind](this, one);
          this.figures.set(one.id, figure);
          this.sight.observe(figure.element);
          this.reach.observe(figure.element);
          this.sizes.observe(figure.body);
        } else if (figure.text !== JSON.stringify(one) || language !== this.spec.language) {
          figure.respec(one);
        }
      } catch (error) {
        console.error(`figure ${one.id}:`, error);
        return;
      }
      if (this.grid.children[index] !== figure.element) this.grid.insertBefore(figure.element, this.grid.children[index] || null);
    });
    this.arrange();
    this.root.removeAttribute("data-waiting");
    this.dock.words();
    this.box.render();
    if (this.run) this.describe(this.run);
    this.changed();
  }

  remove(id) {
    const figure = this.figures.get(id);
    this.sight.unobserve(figure.element);
    this.reach.unobserve(figure.element);
    this.sizes.unobserve(figure.body);
    figure.remove();
    this.figures.delete(id);
  }

  /** The hero takes three fifths; beside it stand as many of the next smaller figures as its height holds. */
  arrange() {
    const figures = this.spec.figures.map((one) => this.figures.get(one.id)).filter(Boolean);
    const hero = figures.findIndex((figure) => figure.spec.size === "hero");
    const beside = [];
    if (hero >= 0) {
      const room = figures[hero].spec.height + 60;
      let used = 0;
      for (const figure of figures.slice(hero + 1)) {
        const tall = figure.spec.height + 60;
        if (!["half", "third"].includes(figure.spec.size) || (beside.length && used + tall > room + 40)) break;
        used += tall;
        beside.push(figure);
        if (used >= room - 60) break;
      }
    }
    for (const figure of figures) {
      figure.element.dataset.place = figure === figures[hero] ? (beside.length ? "hero" : "full") : beside.includes(figure) ? "beside" : figure.spec.size;
      figure.element.style.gridRow = "";
      figure.body.style.height = `${figure.spec.height}px`;
    }
    if (beside.length) {
      const tall = figures[hero].spec.height;
      figures[hero].element.style.setProperty("--rows", beside.length);
      const room = tall - 64 * (beside.length - 1);
      const asked = beside.reduce((sum, figure) => sum + figure.spec.height, 0);
      const shares = beside.map((figure) => Math.floor((room * figure.spec.height) / asked));
      if (Math.min(...shares) > 120) beside.forEach((figure, index) => (figure.body.style.height = `${shares[index]}px`));
    }
  }

  say(key, values = {}) {
    const text = this.spec.ui?.[key] ?? "";
    return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
  }

  both(words) {
    return words ? words[this.spec.language === "zh" ? "zh" : "en"] || words.en : "";
  }

  // runs

  /** The page is about to show another run; the server has made this board its viewer already. */
  next({ from, run: id }) {
    if (from === id) return; // the run that is on the board already
    if (this.run?.id === from) this.show(id, false, true);
    else if (!this.runs.has(id)) this.link.send({ op: "leave", run: id });
  }

  /** Leaves the run on the board and watches another. */
  show(id, keepPlace = false, watched = false) {
    for (const run of this.runs.values()) this.link.leave(run);
    this.runs.clear();
    this.run = id === null ? null : new Run(id);
    this.dock.clear();
    this.asks.left();
    if (!keepPlace) {
      const { speed } = this.playhead;
      this.playhead = new Playhead();
      this.playhead.speed = speed;
    }
    if (this.run) {
      this.runs.set(id, this.run);
      if (!watched) this.link.watch(this.run);
    }
    // what is on screen stays until the new run has something to show
    this.holding = this.run !== null;
    this.begun = false;
    this.changed();
  }

  /** The run that this one is a fork of, drawn beside it from that step on; null where there is none. */
  get origin() {
    const [id, step] = this.run?.origin || [];
    const run = this.runs.get(id);
    return run && run !== this.run && run.history.rows.n ? { run, step } : null;
  }

  pastOf(id) {
    let run = this.runs.get(id);
    if (!run) {
      run = new Run(id);
      this.runs.set(id, run);
      this.link.watch(run);
    }
    return run.history.at(Infinity);
  }

  heed(header, arrays, bytes) {
    const run = this.runs.get(header.run);
    if (header.type === "refused") this.refused(header);
    else if (header.type === "moved") this.movedTo(header);
    else if (header.type === "next") this.box.begun(header), this.next(header);
    else if (header.type === "answer") this.answered(header, arrays);
    else if (run) {
      if (header.type === "run") {
        run.heard = true;
        if (header.status !== run.status) run.since = performance.now();
        for (const key of ["status", "total", "rate", "place", "viewers", "snapshots", "error", "note", "device", "params", "origin"]) {
          if (header[key] !== undefined) run[key] = header[key];
        }
        if (header.frames) run.listed = header.frames;
        if (run === this.run) {
          this.describe(run);
          if (run.head >= 0) this.begin(run);
          const [origin] = run.origin || [];
          if (origin && !this.runs.has(origin)) {
            this.runs.set(origin, new Run(origin, true));
            this.link.watch(this.runs.get(origin));
          }
        }
      } else if (header.type === "scalars") {
        run.history.add(
          header.groups.map(({ names }, i) => ({ names, steps: arrays[`steps${i}`].values, values: arrays[`values${i}`].values })),
        );
        if (run === this.run) this.begin(run);
        if (run === this.shownRun && this.pictured && !run.ended) {
          this.moved = true; // mostly the picture comes right behind: both are drawn at once
          return this.later(BEHIND);
        }
      } else if (header.type === "frame") {
        run.keep(header.step, resolved(header.patches, arrays), bytes);
        this.pictured = true;
        if (run === this.run && this.begun) this.holding = false;
      } else if (header.type === "rewind") {
        run.rewind(header.step);
        if (run === this.run) this.dock.notice("note", this.both(header.note));
      }
    }
    return this.changed();
  }

  /** What a run says about itself in words. */
  describe(run) {
    if ((run.status === "queued" && run.place) || run.ended) this.holding = false;
    if (run.error) this.dock.notice("error", this.both(run.error), "error");
    else this.dock.dismiss("error");
    if (run.note) this.dock.notice("note", this.both(run.note));
    else this.dock.dismiss("note");
  }

  /** The first scalars of a run are here: shown from its start where that is worth it, else from where it stands. */
  begin(run) {
    if (this.begun || !run.total) return; // how long it will take is not known before its length is
    this.begun = true;
    this.release = performance.now() + (this.pictured && !run.ended && !run.frames.size ? PICTURE : 0);
    if (!this.data.autoplay || still() || replayed.has(run.id)) return;
    replayed.add(run.id);
    if (run.origin) this.playhead.play(Math.max(run.history.first, run.origin[1]));
    else if (run.ended) this.playhead.play(run.history.first);
    else if (run.total / (run.rate || run.params?.pace || Infinity) < 4) this.playhead.pace(performance.now());
  }

  movedTo({ from, run: id }) {
    if (this.run?.id !== from) return;
    this.begun = false;
    replayed.add(id);
    // the server watches the copy already: only the old run's name has to be forgotten here
    this.runs.delete(from);
    this.run = new Run(id);
    this.runs.set(id, this.run);
    this.asks.left();
    this.holding = true;
    this.dock.notice("moved", this.say("moved"));
    this.setStateValue?.("run", id);
  }

  refused({ id, error }) {
    if (this.box.refused(id, this.both(error))) return;
    const key = id === null || id === undefined ? "" : this.asks.landed(id);
    if (key === null) return; // it was about another run, or nobody asks it any more
    const words = this.both(error);
    this.dock.notice(`refused ${key}`, this.say("refused", { error: words }) || words, "error");
  }

  answered({ id, run, patches }, arrays) {
    const key = this.asks.landed(id);
    if (key === null || run !== this.run?.id) return;
    this.dock.dismiss(`refused ${key}`);
    const found = resolved(patches, arrays);
    for (const figure of this.figures.values()) {
      const mine = found.filter((patch) => patch.figure === figure.spec.id);
      if (mine.length || figure.answers.has(key)) figure.answer(key, mine);
    }
  }

  choose(fields) {
    this.choices = Math.max(this.choices + 1, Date.now());
    this.setStateValue?.("choose", { ...fields, n: this.choices });
  }

  /** A new run from the last marked step, with the page's settings: the page makes it. */
  fork() {
    const step = this.run ? this.run.mark(this.playhead.step) : -1;
    if (step < 0) return;
    this.choices = Math.max(this.choices + 1, Date.now());
    this.setStateValue?.("fork", { run: this.run.id, step, n: this.choices });
  }

  /** To the marked step before or after. */
  toMark(direction) {
    const { run, playhead } = this;
    const marks = direction < 0 ? run.snapshots.filter((one) => one < playhead.step).slice(-1) : run.snapshots.filter((one) => one > playhead.step);
    if (marks.length) playhead.go(marks[0], run);
  }

  tell(command) {
    if (this.run) this.link.send({ op: "tell", run: this.run.id, command, changes: {}, at: this.playhead.step });
  }

  // what the viewer does

  toggle() {
    const { run, playhead } = this;
    if (!run || run.head < 0) return;
    if (playhead.playing || playhead.pacing) playhead.stay();
    else if (playhead.follow || playhead.step >= run.head) {
      if (run.status === "running") this.tell("pause");
      else if (run.status === "paused") {
        playhead.live();
        this.tell("resume");
      } else if (run.ended && run.head > run.history.first) playhead.play(run.history.first);
    } else playhead.play(playhead.step);
    this.changed();
  }

  stepBy(direction) {
    const { run, playhead } = this;
    if (!run || run.head < 0) return;
    if (direction > 0 && playhead.step >= run.head) {
      if (run.status === "paused") {
        playhead.live();
        this.tell("step");
      }
    } else playhead.go(run.history.beside(playhead.step, direction), run);
    this.changed();
  }

  scrubbed(step) {
    if (!this.run || this.run.head < 0) return;
    const n = this.run.history.rows.upTo(step);
    this.playhead.go(n ? this.run.history.rows.steps[n - 1] : this.run.history.first, this.run);
    this.changed();
  }

  key(event) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    // the player's own buttons know only the space bar
    const mine = event.key !== " " && event.target.closest?.(".tr-controls, .tr-state") || "[]f".includes(event.key) && event.target === this.dock.scrub;
    const busy = "input, textarea, select, button, summary, [contenteditable=''], [contenteditable=true], [role=slider], [role=tab], [role=radio], [role=option], [role=menuitem], [role=dialog], [role=application]";
    if ((!mine && event.target.closest?.(busy)) || !this.root.isConnected || !this.run || this.run.head < 0) return;
    const { run, playhead } = this;
    if (event.key === " ") this.toggle();
    else if (event.key === "ArrowLeft") this.stepBy(-1);
    else if (event.key === "ArrowRight") this.stepBy(1);
    else if (event.key === "Home") playhead.go(run.history.first, run);
    else if (event.key === "End") playhead.live();
    else if (event.key === "[" || event.key === "]") this.toMark(event.key === "[" ? -1 : 1);
    else if (event.key === "f") this.fork();
    else return;
    event.preventDefault();
    this.changed();
  }

  // drawing

  changed() {
    this.moved = true;
    this.schedule();
  }

  /** Asks for one pass in the next animation frame, however often it is called. */
  schedule() {
    if (!this.raf && !this.gone) this.raf = requestAnimationFrame(this.tick);
  }

  /** Makes sure that there is a pass within `ms`. */
  later(ms) {
    const at = performance.now() + Math.max(1, ms);
    if (ms === Infinity || (this.timer && this.timerAt <= at)) return;
    clearTimeout(this.timer);
    this.timerAt = at;
    this.timer = setTimeout(() => {
      this.timer = 0;
      this.schedule();
    }, at - performance.now());
  }

  /** One animation frame: moves the playhead, finds what that changes, draws what is in view, as long as there is time. */
  step(now) {
    this.raf = 0;
    now = performance.now();
    const { run, playhead } = this;
    if (this.holding && this.begun) {
      if (now >= this.release) this.holding = false;
      else this.later(this.release - now);
    }
    if (run && !this.holding) {
      const before = playhead.step;
      if (playhead.advance(now, run)) this.schedule();
      if (playhead.step !== before) this.moved = true;
    }
    if (this.moved && !this.holding) {
      this.moved = false;
      this.readAgain = true;
      const past = (run ? run.history : new History()).at(playhead.step);
      const patches = this.patches(run, playhead.step);
      for (const figure of this.figures.values()) figure.show(past, patches);
    }
    const rest = this.draw(now);
    if (rest > 0) this.later(rest);
    else this.schedule(); // in the very next frame: a timer would miss it
    this.box.drawn();
    if (this.readAgain) {
      const wait = 200 - (now - this.readAt);
      if (wait > 0) this.later(wait);
      else {
        this.readAgain = false;
        this.readAt = now;
        for (const figure of this.figures.values()) figure.read();
      }
    }
    if (this.shownRun === run) this.later(this.asks.send(now));
    else if (!this.holding) {
      this.shownRun = run; // questions about a run follow its first picture
      this.schedule();
    }
    this.dock.render(now);
  }

  /** The patches of the last frame at or before `step`. While one is fetched, what is on screen stays. */
  patches(run, step) {
    const wanted = run ? run.frameStep(step) : -1;
    if (wanted < 0) {
      this.frame = null;
      return [];
    }
    let found = run.frame(wanted);
    if (!found && this.playhead.follow && (!run.ended || performance.now() - run.since < 500)) {
      found = run.frame(run.cachedStep(step)); // the newest frame is on its way
      this.waiting ||= setTimeout(() => {
        this.waiting = 0;
        this.changed();
      }, 500);
    } else if (!found) this.fetcher.want(run, wanted);
    if (found) this.frame = { run, ...found };
    if (found && this.playhead.playing && !this.fetcher.busy) {
      const next = run.listed.find((one) => one > wanted && !run.frames.has(one));
      if (next !== undefined) this.fetcher.want(run, next);
    }
    return this.frame?.run === run ? this.frame.patches : [];
  }

  draw(now) {
    let wait = Infinity;
    const dirty = [...this.figures.values()].filter((figure) => figure.dirty && (figure.visible || (figure.near && !figure.drawn)) && (!this.holding || !figure.drawn));
    // the one that waits longest; at first a scene in three dimensions last, for it takes longest
    dirty.sort((a, b) => a.drawnAt - b.drawnAt || Number(!!a.solid) - Number(!!b.solid));
    for (const figure of dirty) {
      const due = figure.due(now);
      if (due > 0) wait = Math.min(wait, due);
      else if (performance.now() - now > DRAWING) wait = 0;
      else figure.render(now);
    }
    return wait;
  }

  destroy() {
    this.gone = true;
    cancelAnimationFrame(this.raf);
    clearTimeout(this.timer);
    clearTimeout(this.waiting);
    document.removeEventListener("keydown", this.keys);
    this.themes.disconnect();
    this.sight.disconnect();
    this.reach.disconnect();
    this.sizes.disconnect();
    this.link.close();
    for (const id of [...this.figures.keys()]) this.remove(id);
    this.root.remove();
    window.torchroom.boards.splice(0, Infinity, ...window.torchroom.boards.filter((one) => one !== this));
  }

  /** What tests look at. */
  get counters() {
    return {
      connections: this.link.connections,
      messages: this.link.messages,
      fetched: this.fetcher.count,
      drawn: Object.fromEntries([...this.figures].map(([id, figure]) => [id, figure.drawn])),
    };
  }

  get head() {
    return this.run ? this.run.head : -1;
  }
}

// ------------------------------------------------------------------------------------------------------ component

window.torchroom ??= { boards: [], of: new WeakMap(), board: null };

/** Streamlit calls this at first and again after every rerun and change of theme; there is one board per element. */
export default function mount(component) {
  const { parentElement } = component;
  const { boards, of } = window.torchroom;
  let board = of.get(parentElement);
  if (board && (board.gone || board.constructor !== Board)) {
    board.destroy(); // made by an older version of this file
    board = null;
  }
  if (!board) {
    // taken off the page a moment ago, and put back in another element
    board = boards.find((one) => one.leaving && one.name === component.key && !one.parent.isConnected && one.constructor === Board);
    if (board) board.adopt(parentElement);
  }
  if (board) {
    clearTimeout(board.leaving);
    board.leaving = 0;
    board.update(component);
  } else {
    board = new Board(parentElement, component);
    boards.push(board);
  }
  board.name = component.key;
  of.set(parentElement, board);
  window.torchroom.board = board;
  return () => {
    clearTimeout(board.leaving);
    board.leaving = setTimeout(() => {
      board.leaving = 0;
      board.destroy();
    }, LINGER);
  };
}
