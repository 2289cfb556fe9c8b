/**
 * Handles of a plot: points that go along a curve with the pointer, and points that are carried freely.
 *
 * @import { HandleSpec, TraceSpec } from "../types.d.ts"
 * @import { PlotFigure } from "./plot.js"
 */

import { clamp } from "../numbers.js";
import { axesOf, pointerOn } from "./plot_axes.js";

/** Pixels from a free handle within which it is picked up. */
export const REACH = 36;

export class PlotHandles {
  /** @param {PlotFigure} plot */
  constructor(plot) {
    this.plot = plot;
    /** Whether the plot has handles on a curve, which move when the pointer is down anywhere. */
    this.onCurve = false;
    /** @type {number[]} Indices of the traces that can be carried. */
    this.free = [];
    /** @type {any} The x at which the reader holds the handles of a curve, until the page has taken it over. */
    this.at = null;
    /** @type {{ index: number, x: any, y: any } | null} The free handle that the reader carries, until the page has. */
    this.carried = null;
  }

  /** Takes what the plot's new spec says of handles. */
  respec() {
    const { traces, picks } = this.plot.spec;
    if (!this.plot.pointer.dragging) this.at = this.carried = null;
    this.onCurve = traces.some((trace) => trace.hold?.curve) && "sets" in (picks || {});
    this.free = traces.flatMap((trace, index) => (trace.hold?.free ? [index] : []));
  }

  /**
   * What the reader's hand changes in a trace.
   *
   * @param {TraceSpec} spec
   * @param {number} index
   * @param {Record<string, any>} trace as it is without
   * @returns {Record<string, any>}
   */
  changes({ hold }, index, trace) {
    if (hold?.curve && this.at !== null) return this.heldAt(hold, trace);
    if (this.carried?.index === index) return { x: [this.carried.x], y: [this.carried.y] };
    return {};
  }

  /**
   * A handle's x and y where the reader holds it.
   *
   * @param {HandleSpec} hold
   * @param {Record<string, any>} trace
   */
  heldAt({ curve = "", slope, upright }, trace) {
    const [x, y] = this.sample(curve);
    if (upright) return { x: trace.x.map(() => x) };
    if (!slope) return { x: [x], y: [y] };
    const half = (trace.x[trace.x.length - 1] - trace.x[0]) / 2;
    const steepness = this.sample(slope)[1];
    return { x: [x - half, x, x + half], y: [y - half * steepness, y, y + half * steepness] };
  }

  /**
   * The sample of a curve that is nearest to where the reader holds the handles, as [x, y].
   *
   * @param {string} name
   */
  sample(name) {
    const curve = this.plot.spec.traces.find((trace) => trace.name === name);
    const { x, y } = /** @type {TraceSpec} */ (curve);
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

  /**
   * What the handles show fills the reading.
   *
   * @param {Record<string, any>} say
   */
  tell(say) {
    for (const { hold, x, y } of this.plot.spec.traces) {
      if (hold?.say) [say.x, say[hold.say]] = this.at === null ? [x[0], y[0]] : this.sample(hold.curve ?? "");
    }
  }

  /**
   * The handles of a curve go with the pointer; where it is let go is what is chosen.
   *
   * @param {PointerEvent} event
   */
  slide(event) {
    const { plot } = this;
    const first = plot.pointer.placeOf(event);
    if (!first) return;
    let place = first;
    this.at = place.x;
    plot.pointer.dragWith(
      event,
      (next) => {
        place = plot.pointer.placeOf(next, true) || place;
        this.at = place.x;
      },
      (released) => {
        const curve = plot.spec.traces.find((trace) => trace.hold?.curve)?.hold?.curve ?? "";
        if (released) plot.gesture({ ...place, x: this.sample(curve)[0] });
        else this.at = null;
      },
    );
  }

  /**
   * The index of the free handle within reach of a pointer, or null.
   *
   * @param {{ clientX: number, clientY: number }} pointer
   */
  nearest(pointer) {
    const { graph, spec } = this.plot;
    let nearest = null;
    let least = REACH;
    for (const index of this.free) {
      const trace = spec.traces[index];
      const axes = axesOf(graph, trace);
      if (!axes) continue;
      const [x, y] = pointerOn(graph, axes, pointer);
      const distance = Math.hypot(x - axes.across.toPixel(trace.x[0]), y - axes.up.toPixel(trace.y[0]));
      if (distance < least) [nearest, least] = [index, distance];
    }
    return nearest;
  }

  /**
   * A free handle goes with the pointer as far as its settings go; where it is let go is what is chosen.
   *
   * @param {PointerEvent} event
   * @param {number} index
   */
  carry(event, index) {
    const { plot } = this;
    const trace = plot.spec.traces[index];
    const free = trace.hold?.free;
    const axes = axesOf(plot.graph, trace);
    if (!free || !axes) return;
    const { across, up } = axes;
    // the handle does not jump to the pointer
    const offset = [event.clientX - across.toPixel(trace.x[0]), event.clientY - up.toPixel(trace.y[0])];
    plot.pointer.dragWith(
      event,
      (next) => {
        /** @type {Record<string, number>} */
        const at = { x: across.toValue(next.clientX - offset[0]), y: up.toValue(next.clientY - offset[1]) };
        /** @type {any} */
        const carried = { index, x: trace.x[0], y: trace.y[0] };
        for (const [axis, { from, to, by }] of Object.entries(free)) {
          const steps = Math.round((clamp(at[axis], from, to) - from) / by);
          carried[axis] = Number((from + by * steps).toFixed(9));
        }
        this.carried = carried;
      },
      (released) => {
        /** @type {any} */
        const { carried } = this;
        const moved = carried && (carried.x !== trace.x[0] || carried.y !== trace.y[0]);
        if (!moved || !released) this.carried = null;
        else
          plot.host.choose(Object.fromEntries(Object.entries(free).map(([axis, { sets }]) => [sets, carried[axis]])));
      },
    );
  }
}
