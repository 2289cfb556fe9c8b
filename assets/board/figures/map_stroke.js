/**
 * A line that is drawn on a map with the pointer: what is picked is where it went.
 *
 * @import { MapFigure } from "./map.js"
 */

const APART = 0.035; // of the tile's sides: places of a stroke are at least so far from each other

export class MapStroke {
  /** @param {MapFigure} map */
  constructor(map) {
    this.map = map;
    /** @type {[number, number][] | null} Across and down, from 0 to 1, until the page has taken them. */
    this.places = null;
    map.box.addEventListener("pointerdown", (event) => this.begin(event));
  }

  /** Whether a press on the map draws. */
  get enabled() {
    const { picks } = this.map.spec;
    return !!picks && "sets" in picks && Object.values(picks.sets).includes("stroke");
  }

  /** @param {PointerEvent} event */
  begin(event) {
    const { map } = this;
    if (!this.enabled || !map.shown || map.focus?.unitSpan !== undefined || event.button !== 0) return;
    event.preventDefault();
    map.box.setPointerCapture?.(event.pointerId);
    this.places = [];
    this.add(event);
    const move = (/** @type {PointerEvent} */ next) => this.add(next);
    const end = (/** @type {PointerEvent} */ { type }) => {
      map.box.removeEventListener("pointermove", move);
      map.box.removeEventListener("pointerup", end);
      map.box.removeEventListener("pointercancel", end);
      const stroke = this.places ?? [];
      this.places = null;
      map.redraw();
      if (type === "pointerup" && stroke.length) map.gesture({ stroke });
    };
    map.box.addEventListener("pointermove", move);
    map.box.addEventListener("pointerup", end);
    map.box.addEventListener("pointercancel", end);
  }

  /**
   * Adds the place of the pointer, if it is on the tile and not too near to the last.
   *
   * @param {PointerEvent} event
   */
  add({ clientX, clientY }) {
    const { map, places } = this;
    const { plan, shown } = map;
    if (!plan || !shown || !places) return;
    const box = map.canvas.getBoundingClientRect();
    const [x, y] = map.corner(0);
    const across = (clientX - box.left - x) / (plan.cell * shown.columns);
    const down = (clientY - box.top - y) / (plan.cell * shown.rows);
    const last = places.at(-1);
    if (across < 0 || across > 1 || down < 0 || down > 1) return;
    if (last && Math.hypot(across - last[0], down - last[1]) < APART) return;
    places.push([Number(across.toFixed(4)), Number(down.toFixed(4))]);
    map.redraw();
  }
}
