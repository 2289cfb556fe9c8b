/**
 * The figures of a board in their order, and which of them are in sight.
 *
 * @import { Figure } from "./figures/figure.js"
 * @import { Host } from "./figures/host.d.ts"
 * @import { BoardSpec, FigureSpec } from "./types.d.ts"
 */

import { el } from "./dom.js";
import { makeFigure } from "./figures/kinds.js";
import { placeFigures } from "./layout.js";

const NEAR = "120px"; // around the window: a figure so near to it is drawn once
const PLAYER = "-80px"; // the player covers the foot of the page

export class FigureGrid {
  /**
   * @param {Host} host what figures may use
   * @param {() => void} changed a figure came into sight, or has another size
   */
  constructor(host, changed) {
    this.host = host;
    this.element = el("div", "tr-grid");
    /** @type {Map<string, Figure>} */
    this.figures = new Map();
    this.near = this.observe({ rootMargin: NEAR }, (figure, near) => (figure.near = near), changed);
    this.visible = this.observe(
      { rootMargin: `0px 0px ${PLAYER}` },
      (figure, visible) => (figure.visible = visible),
      changed,
    );
    this.sizes = new ResizeObserver((entries) => {
      for (const { target } of entries) this.figureOf(target.parentElement)?.resized();
      changed();
    });
  }

  /** @param {Element | null} element */
  figureOf(element) {
    return this.figures.get(/** @type {HTMLElement | null} */ (element)?.dataset.figure ?? "");
  }

  /**
   * @param {IntersectionObserverInit} options
   * @param {(figure: Figure, intersects: boolean) => void} set
   * @param {() => void} changed
   */
  observe(options, set, changed) {
    return new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        const figure = this.figureOf(target);
        if (figure) set(figure, isIntersecting);
      }
      changed();
    }, options);
  }

  /** @param {string} id */
  get(id) {
    return this.figures.get(id);
  }

  /**
   * The figures that show in full what is in focus in this one.
   *
   * @param {string} id
   */
  showing(id) {
    return [...this.figures.values()].filter(({ spec }) => "shows" in spec && spec.shows === id);
  }

  /**
   * Figures of equal id and kind are changed in place, new ones added, old ones removed.
   *
   * @param {FigureSpec[]} specs
   * @param {boolean} translated whether the language is another one
   */
  update(specs, translated) {
    const byId = new Map(specs.map((spec) => [spec.id, spec]));
    for (const [id, figure] of [...this.figures]) {
      if (byId.get(id)?.kind !== figure.spec.kind) this.remove(id, figure);
    }
    specs.forEach((spec, index) => {
      try {
        const figure = this.figures.get(spec.id);
        if (!figure) this.add(spec);
        else if (translated || figure.specText !== JSON.stringify(spec)) figure.respec(spec);
      } catch (error) {
        console.error(`figure ${spec.id}:`, error);
        return;
      }
      const element = this.figures.get(spec.id)?.element;
      const there = this.element.children[index] || null;
      if (element && there !== element) this.element.insertBefore(element, there);
    });
    this.arrange(specs);
  }

  /** @param {FigureSpec} spec */
  add(spec) {
    const figure = makeFigure(this.host, spec);
    this.figures.set(spec.id, figure);
    this.visible.observe(figure.element);
    this.near.observe(figure.element);
    this.sizes.observe(figure.body);
  }

  /**
   * @param {string} id
   * @param {Figure} figure
   */
  remove(id, figure) {
    this.visible.unobserve(figure.element);
    this.near.unobserve(figure.element);
    this.sizes.unobserve(figure.body);
    figure.remove();
    this.figures.delete(id);
  }

  /** @param {BoardSpec["figures"]} specs */
  arrange(specs) {
    const figures = specs.map((spec) => this.figures.get(spec.id)).filter((figure) => figure !== undefined);
    placeFigures(figures.map((figure) => figure.spec)).forEach(({ place, height, rows }, index) => {
      const { element, body } = figures[index];
      element.dataset.place = place;
      element.style.gridRow = "";
      body.style.height = `${height}px`;
      if (rows !== undefined) element.style.setProperty("--rows", String(rows));
    });
  }

  destroy() {
    this.visible.disconnect();
    this.near.disconnect();
    this.sizes.disconnect();
    for (const [id, figure] of [...this.figures]) this.remove(id, figure);
  }
}
