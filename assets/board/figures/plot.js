/** Charts, by plotly. */

import { nested } from "../arrays.js";
import { attribute, make, write } from "../dom.js";
import { thin } from "../downsample.js";
import { Figure } from "./figure.js";
import { clamp, number } from "../numbers.js";
import { themed } from "../theme.js";

const PLOT_PAUSE = 100; // ms between two drawings of one plot, at least

const PALE = 0.38; // opacity of the original beside its fork

const REACH = 36; // pixels from a free handle within which it is picked up

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

export class PlotFigure extends Figure {
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
      hoverlabel: {
        bgcolor: theme.background,
        bordercolor: theme.border,
        font: { color: theme.text, family: theme.font, size: 12 },
      },
      hovermode: "closest",
      ...given,
      font: { family: theme.font, size: 12, color: theme.text, ...given.font },
      margin: { l: 46, r: 10, t: 6, b: 40, ...given.margin },
      legend: {
        orientation: "h",
        y: 1.02,
        yanchor: "bottom",
        x: 0,
        bgcolor: "rgba(0,0,0,0)",
        font: { size: 11 },
        ...given.legend,
      },
    };
    const touch = matchMedia("(pointer: coarse)").matches;
    layout.dragmode ??= this.solid
      ? "turntable"
      : touch || this.handles || this.free.length || this.sketch >= 0
        ? false
        : "zoom";
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
          scene[name] = {
            gridcolor: pale,
            zerolinecolor: pale,
            linecolor: pale,
            showbackground: false,
            color: theme.text,
            ...scene[name],
          };
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
    const found = [
      area(low, high, 0.22, "all"),
      area(lower, upper, 0.42, "half"),
      { mode: "lines", ...base, x, y: middle, hoverinfo: "skip" },
    ];
    if (this.near?.band !== band || !this.past.series(this.near.name)) return found;
    const { steps, values } = this.past.series(this.near.name);
    const at = Math.min(this.near.at, steps.length - 1);
    const left = at > steps.length / 2;
    const words = this.board.say("seed_at", { seed: first + this.near.number, value: number(values[at]) });
    const alone = { hoverinfo: "skip", showlegend: false };
    const thinned = thin({ x: steps, y: values }, base, this.span(base), this.body.clientWidth);
    return [
      ...found,
      {
        ...alone,
        name: `${base.name} one`,
        ...thinned,
        mode: "lines",
        line: { color: this.board.theme.text, width: 1 },
      },
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
      const trace = {
        ...base,
        name: `${origin.run.id}/${name}`,
        opacity: PALE * (base.opacity ?? 1),
        showlegend: false,
        hoverinfo: "skip",
      };
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
    const config = {
      displayModeBar: false,
      responsive: false,
      scrollZoom: false,
      showTips: false,
      doubleClick: "reset",
    };
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
      return (
        opacity !== 0 &&
        Array.prototype.some.call(y, (one, i) => shown(one) && (!x || shown(x[i])) && marker?.size?.[i] !== 0)
      );
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
      const far = Math.hypot(
        clientX - box.left - across._offset - across.d2p(trace.x[0]),
        clientY - box.top - up._offset - up.d2p(trace.y[0]),
      );
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
          this.board.choose(
            Object.fromEntries(Object.entries(free).map(([axis, { sets }]) => [sets, this.carried[axis]])),
          );
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
    return (
      !this.solid && !!picks && "sets" in picks && Object.values(picks.sets).every((one) => one === "x" || one === "y")
    );
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
    for (const [name, axis, at] of [
      ["x", full.xaxis, clientX - box.left],
      ["y", full.yaxis, clientY - box.top],
    ]) {
      if (!wanted.includes(name)) continue;
      let pixel = at - axis._offset;
      if (edge) pixel = clamp(pixel, 0, axis._length);
      if (pixel < 0 || pixel > axis._length) return null;
      const value = axis.p2d(pixel);
      if (typeof value !== "number") event[name] = value;
      else {
        // no more digits than a pixel is worth
        const grain =
          Math.abs(axis.p2d(Math.min(axis._length, pixel + 1)) - axis.p2d(Math.max(0, pixel - 1))) / 2 || 1e-6;
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
