/**
 * A chart by plotly: lines, bars, contours, surfaces, bound to the run's scalars.
 *
 * @import { Moment } from "../moment.js"
 * @import { Patch } from "../schema.d.ts"
 * @import { PlotSpec } from "../types.d.ts"
 * @import { Host } from "./host.d.ts"
 */

import { nested } from "../arrays.js";
import { el, setAttr, setText, usesTouch } from "../dom.js";
import { downsample } from "../downsample.js";
import { Figure } from "./figure.js";
import { zoomedRange } from "./plot_axes.js";
import { PlotHandles } from "./plot_handles.js";
import { layoutForDrawing, plotLayout } from "./plot_layout.js";
import { PlotPointer } from "./plot_pointer.js";
import { PlotRuns } from "./plot_runs.js";
import { PlotSketch } from "./plot_sketch.js";
import { baseTrace, isBlank, setAttribute } from "./plot_traces.js";
import { loadPlotly, plotly } from "./plotly.js";

const PAUSE = 100; // ms between two drawings of one plot, at least
const DRAG_PAUSE = 16; // ms between two drawings while the reader drags
const SOLID = /3d|surface|cone|streamtube|volume|isosurface/;
const CONFIG = { displayModeBar: false, responsive: false, scrollZoom: false, showTips: false, doubleClick: "reset" };

/** @extends {Figure<PlotSpec>} */
export class PlotFigure extends Figure {
  /**
   * @param {Host} host
   * @param {PlotSpec} spec
   */
  constructor(host, spec) {
    super(host, spec);
    /** @type {any} plotly's element */
    this.graph = el("div", "tr-plot");
    this.empty = el("p", "tr-empty");
    this.body.append(this.graph, this.empty);
    /** ms that a drawing takes, on average. */
    this.cost = 0;
    /** Counts "reset view"; a part of plotly's uirevision. */
    this.resets = 0;
    this.log = spec.layout?.yaxis?.type === "log";
    /** Whether it is a scene in three dimensions. */
    this.solid = false;
    /** @type {Promise<void> | null} */
    this.loading = null;
    this.listening = false;
    /** @type {Record<string, any>[] | null} */
    this.bases = null;
    /** @type {Record<string, any>} */
    this.layout = {};
    this.handles = new PlotHandles(this);
    this.sketch = new PlotSketch(this);
    this.runs = new PlotRuns(this);
    this.logButton = this.tool("", () => {
      this.log = !this.log;
      setAttr(this.logButton, "aria-pressed", this.log);
      this.redraw();
    });
    setAttr(this.logButton, "aria-pressed", "false");
    this.resetButton = this.tool("", () => {
      this.resets++;
      this.resetButton.hidden = true;
      this.redraw();
    });
    this.resetButton.hidden = true;
    this.wipeButton = this.tool(" tr-wipe", () => this.sketch.wipe());
    this.tools.append(this.wipeButton, this.resetButton, this.logButton);
    this.pointer = new PlotPointer(this);
  }

  /**
   * @param {string} className
   * @param {() => void} action
   */
  tool(className, action) {
    const button = el("button", `tr-tool${className}`, { type: "button" });
    button.onclick = action;
    return button;
  }

  /** @param {PlotSpec} spec */
  respec(spec) {
    super.respec(spec);
    const { handles, sketch, host } = this;
    this.logButton.hidden = !spec.switch;
    setText(this.logButton, host.say("log"));
    setText(this.resetButton, host.say("reset_zoom"));
    setAttr(this.logButton, "aria-pressed", this.log);
    handles.respec();
    sketch.respec();
    this.element.dataset.handles = String(handles.onCurve);
    this.element.dataset.draws = String(sketch.index >= 0);
    this.wipeButton.hidden = sketch.empty;
    setText(this.wipeButton, host.say("wipe"));
    this.solid = spec.traces.some((trace) => SOLID.test(trace.type || "scatter"));
  }

  changed() {
    super.changed();
    this.bases = null;
  }

  /** @param {Moment} moment */
  signature(moment) {
    const { current, origin } = this.host.runs;
    /** @type {unknown[]} */
    const parts = [current?.version];
    if (origin) parts.push(origin.run.version, origin.run.history.rows.upTo(moment.step));
    for (const { bind, band } of this.spec.traces) {
      if (band) parts.push(moment.count(`${band}0`));
      for (const source of Object.values(bind || {})) {
        if (Array.isArray(source) || source === "step") parts.push(moment.step);
        else parts.push(moment.count(source));
      }
    }
    return parts.join();
  }

  /** The traces as they stand at the playhead. */
  filled() {
    if (!this.bases) this.bases = this.prepare();
    const patches = this.patches();
    const own = this.bases.flatMap((base, index) => this.fill(base, index, patches));
    return [...own, ...this.runs.originTraces(this.bases)];
  }

  /** What the traces and the layout are without the run's numbers. */
  prepare() {
    const { spec, solid, handles, sketch } = this;
    const { theme } = this.host;
    const still = usesTouch() || handles.onCurve || handles.free.length > 0 || sketch.index >= 0;
    this.layout = plotLayout(spec, theme, { solid, dragmode: solid ? "turntable" : still ? false : "zoom" });
    return spec.traces.map((trace) => baseTrace(trace, theme));
  }

  /**
   * One trace with what the run, the patches and the reader's hand put into it.
   *
   * @param {Record<string, any>} base
   * @param {number} index
   * @param {Patch[]} patches
   * @returns {Record<string, any>[]}
   */
  fill(base, index, patches) {
    const spec = this.spec.traces[index];
    const { bind, name, run, band, first, key } = spec;
    if (band) return this.runs.bandTraces(base, band, first || 0);
    const trace = { ...base };
    Object.assign(trace, this.handles.changes(spec, index, trace));
    if (this.sketch.stroke && index === this.sketch.index) trace.y = this.sketch.stroke;
    const moment = run ? this.host.runs.latest(run) : this.moment;
    if (bind && moment) {
      const arrays = downsample(moment.bound(bind), zoomedRange(this.graph, trace), this.body.clientWidth);
      for (const [attribute, values] of Object.entries(arrays)) setAttribute(trace, attribute, values);
    }
    for (const patch of patches) {
      if (patch.trace !== (key ?? name)) continue;
      for (const [attribute, value] of Object.entries(patch.data)) {
        if (attribute !== "say") setAttribute(trace, attribute, nested(value));
      }
    }
    return [trace];
  }

  /** @param {number} now */
  dueIn(now) {
    const { held, dragging } = this.pointer;
    if (held || this.busy) return Infinity;
    return (dragging ? DRAG_PAUSE : Math.max(PAUSE, 2.5 * this.cost)) - (now - this.drawnAt);
  }

  draw() {
    if (!plotly()) {
      this.load();
      return false;
    }
    if (!this.body.clientWidth) return false;
    const started = performance.now();
    this.busy = true;
    const traces = this.filled();
    const blank = this.sketch.index < 0 && !this.handles.free.length && isBlank(traces);
    setText(this.empty, blank ? this.host.say("no_points") : "");
    const layout = layoutForDrawing(this.layout, {
      width: this.body.clientWidth,
      height: this.body.clientHeight,
      revision: `r${this.resets}`,
      log: this.spec.switch ? this.log : null,
    });
    Promise.resolve(plotly().react(this.graph, traces, layout, CONFIG))
      .catch((error) => this.showFault(error))
      .finally(() => {
        this.busy = false;
        this.cost = 0.6 * this.cost + 0.4 * (performance.now() - started);
        if (this.dirty) this.host.schedule();
      });
    if (!this.listening) {
      this.listening = true;
      this.graph.on("plotly_click", (/** @type {any} */ event) => this.pointer.clickPoint(event.points[0]));
      this.graph.on("plotly_relayout", (/** @type {object} */ event) => this.viewChanged(event));
    }
    return true;
  }

  load() {
    this.loading ??= loadPlotly(this.host.plotlyUrl)
      .catch((error) => this.showFault(error))
      .finally(() => {
        this.loading = null;
        if (plotly()) this.host.schedule();
      });
  }

  /**
   * The reader has zoomed, or turned a scene.
   *
   * @param {object} event plotly's changes of the layout
   */
  viewChanged(event) {
    const keys = Object.keys(event);
    if (keys.some((key) => key.endsWith(".autorange"))) this.resetButton.hidden = true;
    else if (keys.some((key) => /\.range|camera/.test(key))) this.resetButton.hidden = false;
    else return;
    const thinned = this.moment !== null && this.moment.n > 4 * this.body.clientWidth;
    if (thinned && this.spec.traces.some((trace) => trace.bind)) this.redraw(); // a smaller range has more to show
  }

  /** What the handles and the drawn line show fills the reading. */
  read() {
    this.handles.tell(this.say);
    this.sketch.tell(this.say);
    super.read();
  }

  remove() {
    if (plotly() && this.listening) plotly().purge(this.graph);
    super.remove();
  }
}
