/**
 * The pointer on a plot: clicks, and what it has in hand while it is down.
 *
 * @import { PlotFigure } from "./plot.js"
 */

import { onDrag } from "../dom.js";
import { valuesAt } from "./plot_axes.js";

const CLICK_REACH = 5; // px that a pointer may move between press and release of a click

export class PlotPointer {
  /** @param {PlotFigure} plot */
  constructor(plot) {
    this.plot = plot;
    /** Whether the reader drags something of the plot. */
    this.dragging = false;
    /** Whether a pointer is down on the plot: it is the reader's then. */
    this.held = false;
    /** @type {HTMLElement} */
    const graph = plot.graph;
    graph.addEventListener("pointerdown", (event) => this.press(event), true);
    graph.addEventListener("pointermove", (event) => plot.runs.point(event));
    graph.addEventListener("pointerleave", () => plot.runs.point(null));
    graph.addEventListener("pointermove", (event) => {
      if (!plot.handles.free.length) return;
      graph.dataset.near = String(this.dragging || plot.handles.nearest(event) !== null);
    });
    graph.addEventListener("touchstart", (event) => this.touch(event), { passive: false });
  }

  /** @param {PointerEvent} event */
  press(event) {
    const { handles, sketch, host } = this.plot;
    const { clientX, clientY, button } = event;
    const target = /** @type {Element} */ (event.target);
    if (button === 0) {
      const onLegend = target.closest?.(".legend");
      if (handles.onCurve && !onLegend) return handles.slide(event);
      const nearest = handles.nearest(event);
      if (nearest !== null) return handles.carry(event, nearest);
      if (sketch.index >= 0 && !onLegend) return sketch.draw(event);
    }
    this.held = true;
    return onDrag(
      () => {},
      (end, released) => {
        this.held = false;
        host.schedule();
        const moved = Math.hypot(end.clientX - clientX, end.clientY - clientY) > CLICK_REACH;
        if (!moved && released && button === 0) this.click(clientX, clientY, target);
      },
    );
  }

  /**
   * A finger on a handle carries it, on a plot to draw on draws; elsewhere it scrolls the page.
   *
   * @param {TouchEvent} event
   */
  touch(event) {
    if (event.touches.length !== 1) return;
    const { handles, sketch } = this.plot;
    const draws = sketch.index >= 0 && /** @type {Element} */ (event.target).closest?.(".nsewdrag");
    if (draws || (handles.free.length && handles.nearest(event.touches[0]) !== null)) event.preventDefault();
  }

  /**
   * Follows the pointer with something in hand: drawn, and read again, at each move and at the end.
   *
   * @param {PointerEvent} event
   * @param {(event: PointerEvent) => void} move
   * @param {(released: boolean) => void} end
   */
  dragWith(event, move, end) {
    const { plot } = this;
    event.preventDefault();
    event.stopPropagation();
    this.dragging = true;
    const show = () => {
      plot.host.reread();
      plot.redraw();
    };
    onDrag(
      (next) => {
        move(next);
        show();
      },
      (_, released) => {
        this.dragging = false;
        end(released);
        show();
      },
    );
    show();
  }

  /** Whether a click is taken from its pixel: a choice of x and y alone, in two dimensions. */
  get byPixel() {
    const { picks } = this.plot.spec;
    if (this.plot.solid || !picks || !("sets" in picks)) return false;
    return Object.values(picks.sets).every((field) => field === "x" || field === "y");
  }

  /**
   * @param {number} clientX
   * @param {number} clientY
   * @param {Element} target
   */
  click(clientX, clientY, target) {
    if (!this.byPixel || target.closest?.(".legend, .colorbar, .cb")) return;
    const place = this.placeOf({ clientX, clientY });
    if (place) this.plot.gesture(place);
  }

  /**
   * A point of a trace was clicked.
   *
   * @param {any} point as plotly tells it
   */
  clickPoint(point) {
    if (!point || this.byPixel) return;
    const index = Array.isArray(point.pointNumber) ? undefined : point.pointNumber;
    const [row, col] = Array.isArray(point.pointNumber) ? point.pointNumber : [];
    this.plot.gesture({ x: point.x, y: point.y, z: point.z, index, row, col, trace: point.data.name });
  }

  /**
   * Where a pointer is on the axes that are chosen from, or null beyond their ends; with `edge` the nearer end.
   *
   * @param {{ clientX: number, clientY: number }} pointer
   * @param {boolean} [edge]
   */
  placeOf(pointer, edge = false) {
    const { picks } = this.plot.spec;
    const wanted = Object.values(picks && "sets" in picks ? picks.sets : {});
    return valuesAt(this.plot.graph, pointer, wanted, edge);
  }
}
