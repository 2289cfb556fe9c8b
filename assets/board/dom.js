/** Elements of the page: made, and changed only where they differ, so that nothing is laid out again for nothing. */

const SVG = "http://www.w3.org/2000/svg";

/** Whether the viewer asked the browser for less motion. */
export const prefersStill = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/** Whether the page is used with fingers. */
export const usesTouch = () => matchMedia("(pointer: coarse)").matches;

/**
 * An element with a class, attributes and children; text is never parsed as HTML.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {string} [className]
 * @param {Record<string, string | number>} [attributes]
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function el(tag, className = "", attributes = {}, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

/**
 * An SVG element with attributes.
 *
 * @template {keyof SVGElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, string | number>} [attributes]
 * @returns {SVGElementTagNameMap[Tag]}
 */
export function svg(tag, attributes = {}) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  return element;
}

/**
 * @param {Node} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * @param {Element} element
 * @param {string} name
 * @param {string | number | boolean} value
 */
export function setAttr(element, name, value) {
  if (element.getAttribute(name) !== String(value)) element.setAttribute(name, String(value));
}

/**
 * Sizes a canvas to so many css pixels; its own pixels are those of the screen. Returns whether that changed it.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {number} width
 * @param {number} height
 * @param {number} ratio pixels of the screen to one of css
 */
export function sizeCanvas(canvas, width, height, ratio) {
  const [columns, rows] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width === columns && canvas.height === rows) return false;
  canvas.width = columns;
  canvas.height = rows;
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  return true;
}

/**
 * The two-dimensional context of a canvas.
 *
 * @param {HTMLCanvasElement} canvas
 */
export function context2d(canvas) {
  const context = canvas.getContext("2d");
  if (!context) throw new Error("no canvas in this browser");
  return context;
}

/**
 * Follows the pointer that is down.
 *
 * @param {(event: PointerEvent) => void} move is told of each move
 * @param {(event: PointerEvent, released: boolean) => void} end is told of the end, and whether it was let go (not
 *   taken away)
 */
export function onDrag(move, end) {
  const kinds = /** @type {const} */ (["pointermove", "pointerup", "pointercancel"]);
  /** @param {PointerEvent} event */
  const follow = (event) => {
    if (event.type === "pointermove" && event.buttons) return move(event); // no button: released outside the window
    for (const kind of kinds) window.removeEventListener(kind, follow, true);
    return end(event, event.type === "pointerup");
  };
  for (const kind of kinds) window.addEventListener(kind, follow, true);
}

/**
 * Places a tip over a point, or under it where there is no room above, within the width there is.
 *
 * @param {HTMLElement} tip
 * @param {{ x: number, above: number | null, below: number, width: number }} at in px; `above` null for no room
 */
export function placeTip(tip, { x, above, below, width }) {
  tip.style.top = `${above ?? below}px`;
  tip.style.transform = `translate(-50%, ${above === null ? "0" : "-100%"})`;
  const half = tip.offsetWidth / 2;
  tip.style.left = `${Math.min(Math.max(half, width - half), Math.max(half, x))}px`;
}

/**
 * Shows an element at a place, in px.
 *
 * @param {HTMLElement} element
 * @param {number} left
 * @param {number} top
 * @param {number} width
 * @param {number} height
 */
export function placeBox(element, left, top, width, height) {
  element.hidden = false;
  element.style.cssText = `left:${left}px;top:${top}px;width:${width}px;height:${height}px`;
}
