/**
 * A line that the reader draws into a plot.
 *
 * @import { SketchSpec, TraceSpec } from "../types.d.ts"
 * @import { PlotFigure } from "./plot.js"
 */

import { clamp } from "../numbers.js";
import { axesOf, pointerOn } from "./plot_axes.js";
import { REACH } from "./plot_handles.js";

export class PlotSketch {
  /** @param {PlotFigure} plot */
  constructor(plot) {
    this.plot = plot;
    /** Index of the trace that is drawn, or -1. */
    this.index = -1;
    /** @type {(number | null)[] | null} The line's heights, until the page has taken them over. */
    this.stroke = null;
  }

  /** Takes what the plot's new spec says of it. */
  respec() {
    if (!this.plot.pointer.dragging) this.stroke = null;
    this.index = this.plot.spec.traces.findIndex((trace) => trace.draw);
  }

  /** The trace that is drawn and how, or null. */
  get target() {
    const trace = this.plot.spec.traces[this.index];
    return trace?.draw ? { trace, sketch: trace.draw } : null;
  }

  /** Whether there is nothing to wipe. */
  get empty() {
    const { target } = this;
    return !target || target.trace.y.every((/** @type {number | null} */ height) => height === null);
  }

  wipe() {
    const { target } = this;
    if (target) this.plot.host.choose({ [target.sketch.sets]: "" });
  }

  /**
   * How far the line is off what it was drawn for fills the reading.
   *
   * @param {Record<string, any>} say
   */
  tell(say) {
    const { target } = this;
    if (!target?.sketch.say) return;
    const factor = this.factorOff(target.sketch, target.trace);
    if (factor === null) delete say[target.sketch.say];
    else say[target.sketch.say] = factor;
  }

  /**
   * The line follows the pointer: its height at each of the trace's x that it passes; at the end it is chosen.
   *
   * @param {PointerEvent} event
   */
  draw(event) {
    const { plot, target } = this;
    const axes = axesOf(plot.graph, target?.trace);
    if (!target || !axes) return;
    const { trace, sketch } = target;
    const { across, up } = axes;
    const pixels = trace.x.map((/** @type {number} */ x) => across.toPixel(x));
    let last = pointerOn(plot.graph, axes, event);
    if (last[0] < -REACH || last[0] > across.length + REACH || last[1] < 0 || last[1] > up.length) return;
    const before = this.stroke ?? trace.y;
    const half = (pixels[pixels.length - 1] - pixels[0]) / (pixels.length - 1) / 2;
    /** @type {Map<number, number>} How near the pointer has come to an x that it did not pass. */
    const nearest = new Map();
    plot.pointer.dragWith(
      event,
      (next) => {
        const now = pointerOn(plot.graph, axes, next);
        const [[left, y0], [right, y1]] = [last, now].sort((a, b) => a[0] - b[0]);
        const line = /** @type {(number | null)[]} */ (this.stroke ?? before);
        this.stroke = line.map((height, i) => {
          const distance = Math.max(0, left - pixels[i], pixels[i] - right);
          // an x within half a step of an end of the movement also gets a height
          if (distance && distance >= Math.min(half, nearest.get(i) ?? Infinity)) return height;
          nearest.set(i, distance);
          const part = clamp((pixels[i] - left) / (right - left || 1), 0, 1);
          const y = clamp(up.toValue(y0 + part * (y1 - y0)), sketch.from, sketch.to);
          return Number(Number(y.toPrecision(3)).toFixed(4)); // short in a link, and never with an exponent
        });
        last = now;
      },
      (released) => {
        if (!released || !this.stroke) this.stroke = null;
        else plot.host.choose({ [sketch.sets]: this.stroke.map((y) => y ?? "").join(",") });
      },
    );
  }

  /**
   * By what factor the line is off another trace: the geometric mean where both are; null if they never are.
   *
   * @param {SketchSpec} sketch
   * @param {TraceSpec} trace
   */
  factorOff({ against }, { x, y }) {
    const bind = this.plot.spec.traces.find((trace) => trace.name === against)?.bind;
    const real = bind && this.plot.moment?.bound(bind);
    if (!real?.x?.length) return null;
    let [total, count, k] = [0, 0, 0];
    (this.stroke ?? y).forEach((/** @type {any} */ guess, /** @type {number} */ i) => {
      while (k < real.x.length - 1 && real.x[k] < x[i]) k++;
      const value = real.y[k];
      if (!(guess > 0 && value > 0) || real.x[k] < x[i]) return; // the run has not come so far
      total += Math.abs(Math.log(guess / value));
      count++;
    });
    return count ? Math.exp(total / count) : null;
  }
}
