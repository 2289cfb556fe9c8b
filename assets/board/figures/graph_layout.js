/**
 * Where the boxes of a graph stand, and where its lines begin and end.
 *
 * @import { GraphNode } from "../schema.d.ts"
 */

import { clamp, number } from "../numbers.js";

const LETTER = 7; // px of a Latin letter of a label or value
const NOTE_LETTER = 5.6; // px of one of a note

/**
 * A node's box: x and y are its centre.
 *
 * @typedef {object} Box
 * @property {number} part where its centre is, from 0 at the left to 1
 * @property {number} x px
 * @property {number} y px
 * @property {number} width px
 * @property {number} height px
 * @property {string} label
 * @property {string} value
 * @property {string[]} notes
 */

/**
 * The box of a node, without its x: that depends on all of them.
 *
 * @param {GraphNode} node
 * @param {{ text: string | undefined, values: ArrayLike<number>, index: number }} shown `text` replaces value and note
 * @param {{ width: number, height: number }} bounds
 * @returns {Box}
 */
export function nodeBox(node, { text, values, index }, bounds) {
  const [value, ...rest] =
    text !== undefined ? text.split("\n") : [values.length ? number(values[index], "3") : "", node.note || ""];
  const label = node.label || node.id;
  const notes = rest.filter(Boolean);
  const widths = [label, value].map((line) => textColumns(line) * LETTER);
  widths.push(...notes.map((line) => textColumns(line) * NOTE_LETTER));
  const width = clamp(Math.max(...widths) + 16, 34, 0.4 * bounds.width);
  const height = 10 + 15 * (1 + (value || values.length ? 1 : 0)) + 12 * notes.length;
  const y = clamp(node.y * bounds.height, height / 2 + 2, bounds.height - height / 2 - 2);
  return { part: node.x, x: 0, y, width, height, label, value, notes };
}

/**
 * Gives the boxes their x. Returns the width at which no box lies on its neighbour: the room there is, or more on a
 * phone, which then scrolls.
 *
 * @param {Box[]} boxes
 * @param {number} available px
 */
export function spreadBoxes(boxes, available) {
  let width = available;
  for (const a of boxes) {
    for (const b of boxes) {
      const apart = b.part - a.part;
      if (apart > 0 && Math.abs(a.y - b.y) < (a.height + b.height) / 2) {
        width = Math.max(width, Math.ceil(((a.width + b.width) / 2 + 6) / apart));
      }
    }
  }
  for (const box of boxes) box.x = clamp(box.part * width, box.width / 2 + 2, width - box.width / 2 - 2);
  return width;
}

/**
 * Width of a text in columns of a Latin letter: a Chinese character is about two.
 *
 * @param {string} text
 */
export const textColumns = (text) => Array.from(text).reduce((sum, letter) => sum + (letter > "\u2e7f" ? 1.75 : 1), 0);

/**
 * Where the line from the centre of box `a` to that of box `b` leaves `a`.
 *
 * @param {Box} a
 * @param {Box} b
 * @returns {[number, number]}
 */
export function borderPoint(a, b) {
  const dx = b.x - a.x || 1e-9;
  const dy = b.y - a.y || 1e-9;
  const part = Math.min(Math.abs((a.width / 2 + 1) / dx), Math.abs((a.height / 2 + 1) / dy), 0.49);
  return [a.x + part * dx, a.y + part * dy];
}
