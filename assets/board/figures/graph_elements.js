/** SVG elements of a graph's nodes and edges. */

import { setAttr, setText, svg } from "../dom.js";

/** @typedef {ReturnType<typeof nodeElements> & { at?: [number, number] }} NodeElements */
/** @typedef {ReturnType<typeof edgeElements> & { at?: [number, number] }} EdgeElements */

/** The elements of a new node. */
export function nodeElements() {
  const group = svg("g", { class: "tr-node" });
  const box = svg("rect", { rx: 8 });
  const label = svg("text", { class: "tr-label" });
  const value = svg("text", { class: "tr-value" });
  const note = svg("text", { class: "tr-note" });
  group.append(box, label, value, note);
  return { group, box, label, value, note };
}

/** The elements of a new edge; its text stands in another layer. */
export function edgeElements() {
  const group = svg("g", { class: "tr-edge" });
  const broad = svg("path", { class: "tr-broad" });
  const line = svg("path");
  const head = svg("path");
  group.append(broad, line, head);
  return { group, broad, line, head, text: svg("text") };
}

/**
 * Mouse and keys on a node or an edge; arrows go to the next one.
 *
 * @param {SVGGElement} group
 * @param {() => void} press
 * @param {() => { group: SVGGElement }[]} all
 * @param {number} index
 */
export function listen(group, press, all, index) {
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

/**
 * Lines of text under each other, the first of them at (x, y).
 *
 * @param {SVGTextElement} text
 * @param {string[]} lines
 * @param {number} x
 * @param {number} y
 * @param {string} [ink]
 */
export function setLines(text, lines, x, y, ink) {
  if (lines.length < 2) {
    setText(text, lines[0] ?? "");
  } else {
    while (text.childElementCount > lines.length) text.lastChild?.remove();
    if (text.childElementCount < lines.length) text.replaceChildren(...lines.map(() => svg("tspan")));
    lines.forEach((line, i) => {
      const span = text.children[i];
      setText(span, line);
      setAttr(span, "x", x);
      setAttr(span, "y", y + 12 * i);
    });
  }
  setAttr(text, "x", x);
  setAttr(text, "y", y);
  if (ink !== undefined) text.style.fill = ink;
}
