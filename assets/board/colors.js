/** Colours of values, from ramps. */

import { clamp } from "./numbers.js";

export const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

/** 256 colours between evenly spaced ones, as bytes r, g, b. */
function ramp(stops) {
  const colours = stops.map(rgb);
  const table = new Uint8Array(256 * 3);
  for (let i = 0; i < 256; i++) {
    const at = (i / 255) * (colours.length - 1);
    const low = Math.min(Math.floor(at), colours.length - 2);
    for (let c = 0; c < 3; c++) {
      table[3 * i + c] = Math.round(colours[low][c] + (at - low) * (colours[low + 1][c] - colours[low][c]));
    }
  }
  return table;
}

export const RAMPS = {
  // viridis, equal steps of it
  sequential: ramp([
    "#440154",
    "#481a6c",
    "#472f7d",
    "#414487",
    "#39568c",
    "#31688e",
    "#2a788e",
    "#23888e",
    "#1f988b",
    "#22a884",
    "#35b779",
    "#54c568",
    "#7ad151",
    "#a5db36",
    "#d2e21b",
    "#fde725",
  ]),
  // orange below zero, white at it, blue above
  diverging: ramp(["#9a4a06", "#c96a0f", "#e89a4a", "#f6cfa3", "#ffffff", "#b5d3f0", "#6aaae2", "#2f86d6", "#14548f"]),
};

export const css = (table, index) => `rgb(${table[3 * index]},${table[3 * index + 1]},${table[3 * index + 2]})`;
export const gradient = (table) =>
  `linear-gradient(90deg,${[0, 32, 64, 96, 128, 160, 192, 224, 255].map((i) => css(table, i))})`;
export const RED = "#d1495b"; // what is struck out
export const light = (r, g, b) => 0.299 * r + 0.587 * g + 0.114 * b > 140;

/** Where a value lies on a ramp, 0 to 255. */
export const place = (value, low, high) => clamp(Math.round((255 * (value - low)) / (high - low || 1)), 0, 255);
