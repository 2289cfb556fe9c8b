/** Colours that stand for values: ramps of 256, as bytes r, g, b one after the other. */

import { clamp } from "./numbers.js";

/** What is struck out. */
export const RED = "#d1495b";
export const POSITIVE = "#2f86d6";
export const NEGATIVE = "#e07b16";
/** Ink on light and on dark colours. */
const INKS = { dark: "#10202e", light: "#ffffff" };

/**
 * @param {string} hex "#rrggbb"
 * @returns {number[]}
 */
export const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

/**
 * 256 colours between evenly spaced ones.
 *
 * @param {string[]} stops
 */
function ramp(stops) {
  const colors = stops.map(rgb);
  const table = new Uint8Array(256 * 3);
  for (let i = 0; i < 256; i++) {
    const at = (i / 255) * (colors.length - 1);
    const low = Math.min(Math.floor(at), colors.length - 2);
    for (let c = 0; c < 3; c++) {
      table[3 * i + c] = Math.round(colors[low][c] + (at - low) * (colors[low + 1][c] - colors[low][c]));
    }
  }
  return table;
}

const VIRIDIS = [
  ...["#440154", "#481a6c", "#472f7d", "#414487", "#39568c", "#31688e", "#2a788e", "#23888e"],
  ...["#1f988b", "#22a884", "#35b779", "#54c568", "#7ad151", "#a5db36", "#d2e21b", "#fde725"],
];
/** Orange below zero, white at it, blue above. */
const DIVERGING = [
  ...["#9a4a06", "#c96a0f", "#e89a4a", "#f6cfa3", "#ffffff", "#b5d3f0", "#6aaae2", "#2f86d6", "#14548f"],
];

export const RAMPS = { sequential: ramp(VIRIDIS), diverging: ramp(DIVERGING) };

/**
 * The ramp of a map's colours; undefined for "rgb", whose values are colours.
 *
 * @param {string} name
 * @returns {Uint8Array | undefined}
 */
export const rampOf = (name) => (name in RAMPS ? RAMPS[/** @type {keyof typeof RAMPS} */ (name)] : undefined);

/**
 * Colour `index` of a ramp.
 *
 * @param {Uint8Array} table
 * @param {number} index
 */
export const css = (table, index) => `rgb(${table[3 * index]},${table[3 * index + 1]},${table[3 * index + 2]})`;

/** @param {Uint8Array} table */
export const gradient = (table) =>
  `linear-gradient(90deg,${[0, 32, 64, 96, 128, 160, 192, 224, 255].map((i) => css(table, i))})`;

/**
 * Whether a colour is a light one.
 *
 * @param {number} r
 * @param {number} g
 * @param {number} b
 */
export const isLight = (r, g, b) => 0.299 * r + 0.587 * g + 0.114 * b > 140;

/**
 * What can be read on a colour.
 *
 * @param {number} r
 * @param {number} g
 * @param {number} b
 */
export const inkOn = (r, g, b) => (isLight(r, g, b) ? INKS.dark : INKS.light);

/**
 * The index, 0 to 255, of a value's colour on a ramp from `low` to `high`.
 *
 * @param {number} value
 * @param {number} low
 * @param {number} high
 */
export const rampIndex = (value, low, high) => clamp(Math.round((255 * (value - low)) / (high - low || 1)), 0, 255);
