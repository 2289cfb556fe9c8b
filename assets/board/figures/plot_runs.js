/**
 * Many runs in one plot: the band of their quartiles, the one that is pointed at, and the original of a fork.
 *
 * @import { PlotFigure } from "./plot.js"
 */

import { downsample } from "../downsample.js";
import { clamp, number } from "../numbers.js";
import { axesOf, pointerOn, zoomedRange } from "./plot_axes.js";
import { setAttribute } from "./plot_traces.js";

const POINTER_REACH = 40; // px from a run's line within which it is pointed at
const ORIGIN_OPACITY = 0.38; // of the original of a fork

export class PlotRuns {
  /** @param {PlotFigure} plot */
  constructor(plot) {
    this.plot = plot;
    /** @type {{ band: string, number: number, name: string, at: number } | null} The run pointed at, and where. */
    this.pointed = null;
  }

  /**
   * A band: the median as a line, two pale shapes behind it, and the run that is pointed at by itself.
   *
   * @param {Record<string, any>} base the trace's attributes
   * @param {string} band
   * @param {number} first the number of the first run
   * @returns {Record<string, any>[]}
   */
  bandTraces(base, band, first) {
    const { moment } = this.plot;
    if (!moment) return [];
    const { x, low, lower, middle, upper, high } = moment.quartiles(band);
    /**
     * @param {number[]} down
     * @param {number[]} up
     * @param {number} opacity
     * @param {string} name
     */
    const area = (down, up, opacity, name) => ({
      name: `${base.name} ${name}`,
      x: [...x, ...[...x].reverse()],
      y: [...up, ...[...down].reverse()],
      mode: "lines",
      fill: "toself",
      line: { color: base.line?.color, width: 0 },
      opacity,
      hoverinfo: "skip",
      showlegend: false,
    });
    const median = { mode: "lines", ...base, x, y: middle, hoverinfo: "skip" };
    return [
      area(low, high, 0.22, "all"),
      area(lower, upper, 0.42, "half"),
      median,
      ...this.pointedTraces(base, band, first),
    ];
  }

  /**
   * The run of a band that is pointed at, as a line and a point with a label.
   *
   * @param {Record<string, any>} base
   * @param {string} band
   * @param {number} first
   */
  pointedTraces(base, band, first) {
    const { pointed, plot } = this;
    const series = pointed?.band === band ? plot.moment?.series(pointed.name) : null;
    if (!pointed || !series) return [];
    const { steps, values } = series;
    const at = Math.min(pointed.at, steps.length - 1);
    const color = plot.host.theme.text;
    const line = downsample({ x: steps, y: values }, zoomedRange(plot.graph, base), plot.body.clientWidth);
    const common = { hoverinfo: "skip", showlegend: false };
    return [
      { ...common, name: `${base.name} run`, ...line, mode: "lines", line: { color, width: 1 } },
      {
        ...common,
        name: `${base.name} here`,
        x: [steps[at]],
        y: [values[at]],
        mode: "markers+text",
        text: [plot.host.say("seed_at", { seed: first + pointed.number, value: number(values[at]) })],
        textposition: at > steps.length / 2 ? "top left" : "top right",
        marker: { color, size: 6 },
      },
    ];
  }

  /**
   * Finds the run behind a band that the pointer is nearest to.
   *
   * @param {PointerEvent | null} event null where the pointer has left
   */
  point(event) {
    const { plot } = this;
    const bands = plot.spec.traces.flatMap(({ band }) => (band ? [band] : []));
    if (!bands.length || !axesOf(plot.graph) || !plot.moment || plot.pointer.dragging) return;
    const nearest = event && this.nearest(event, bands);
    if (nearest?.name === this.pointed?.name && nearest?.at === this.pointed?.at) return;
    this.pointed = nearest;
    plot.redraw();
  }

  /**
   * @param {PointerEvent} event
   * @param {string[]} bands
   */
  nearest(event, bands) {
    const { graph, moment } = this.plot;
    const axes = axesOf(graph);
    if (!axes || !moment) return null;
    const { across, up } = axes;
    const [x, y] = pointerOn(graph, axes, event);
    if (x < 0 || x > across.length || y < 0 || y > up.length) return null;
    let nearest = null;
    let least = POINTER_REACH;
    for (const band of bands) {
      for (let k = 0, count = moment.countSeries(band); k < count; k++) {
        const column = moment.history.columns.get(band + k);
        const series = moment.series(band + k);
        if (!column || !series) continue;
        const at = clamp(column.upTo(across.toValue(x)) - 1, 0, series.steps.length - 1);
        const distance = Math.abs(up.toPixel(series.values[at]) - y);
        if (distance < least) {
          least = distance;
          nearest = { band, number: k, name: band + k, at };
        }
      }
    }
    return nearest;
  }

  /**
   * What the original of a fork did from the fork on: its traces, pale, named run/trace.
   *
   * @param {Record<string, any>[]} bases the attributes of all traces
   */
  originTraces(bases) {
    const { plot } = this;
    const { origin } = plot.host.runs;
    if (!origin || !plot.moment || plot.moment.step < origin.step) return [];
    const moment = origin.run.history.at(plot.moment.step);
    return bases.flatMap((base, index) => {
      const { bind, name, run } = plot.spec.traces[index];
      if (!bind || run || !/^scatter/.test(base.type || "scatter")) return []; // bars have no room for a second set
      /** @type {Record<string, any>} */
      const trace = {
        ...base,
        name: `${origin.run.id}/${name}`,
        opacity: ORIGIN_OPACITY * (base.opacity ?? 1),
        showlegend: false,
        hoverinfo: "skip",
      };
      delete trace.hovertemplate;
      const range = zoomedRange(plot.graph, trace);
      const arrays = downsample(moment.bound(bind, origin.step), range, plot.body.clientWidth);
      for (const [attribute, values] of Object.entries(arrays)) setAttribute(trace, attribute, values);
      return [trace];
    });
  }
}
