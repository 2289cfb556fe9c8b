/**
 * What stands on a network's canvas: its weights as lines, its units with their small maps.
 *
 * @import { NetworkSpec } from "../schema.d.ts"
 * @import { Theme, UnitTile } from "../types.d.ts"
 * @import { Layer, NetworkPlan } from "./network_layout.js"
 */

import { NEGATIVE, POSITIVE, rampIndex, RAMPS } from "../colors.js";
import { context2d } from "../dom.js";
import { clamp } from "../numbers.js";
import { largestWeight, spotOf, weightIndex } from "./network_layout.js";

const THICKEST = 4.5; // px of the largest weight's line

/** The diverging ramp as pixels lie in the memory of an ImageData. */
const PIXELS = Uint32Array.from({ length: 256 }, (_, i) => {
  const [r, g, b] = RAMPS.diverging.subarray(3 * i, 3 * i + 3);
  return (255 << 24) | (b << 16) | (g << 8) | r;
});

/**
 * @typedef {object} NetworkPicture
 * @property {CanvasRenderingContext2D} context
 * @property {NetworkSpec} spec
 * @property {NetworkPlan} plan
 * @property {Layer[]} layers
 * @property {number[]} given places of the inputs that the network is given
 * @property {ArrayLike<number>} weights
 * @property {Theme} theme
 */

/** @param {NetworkPicture} picture */
export function paintWeights({ context, plan, layers, given, weights }) {
  const { side } = plan;
  const most = largestWeight(layers, weights);
  context.lineCap = "butt";
  for (let layer = 1; layer < layers.length; layer++) {
    for (let unit = 0; unit < layers[layer].units; unit++) {
      for (let input = 0; input < layers[layer - 1].units; input++) {
        const [a, b] = [spotOf(plan, given, layer - 1, input), spotOf(plan, given, layer, unit)];
        const value = weights[weightIndex(layers, layer, unit, input)];
        if (!a || !b || !Number.isFinite(value)) continue;
        const size = Math.abs(value) / most;
        const middle = (a[0] + b[0]) / 2;
        context.beginPath();
        context.moveTo(a[0] + side / 2, a[1]);
        context.bezierCurveTo(middle, a[1], middle, b[1], b[0] - side / 2, b[1]);
        context.lineWidth = 0.4 + THICKEST * size;
        context.globalAlpha = 0.25 + 0.75 * Math.min(1, 2 * size);
        context.strokeStyle = value < 0 ? NEGATIVE : POSITIVE;
        context.stroke();
      }
    }
  }
  context.globalAlpha = 1;
}

/**
 * @param {NetworkPicture} picture
 * @param {UnitSheet} sheet
 */
export function paintUnits(picture, sheet) {
  const { context, spec, plan, layers, theme } = picture;
  context.font = `11px ${theme.font}`;
  context.textBaseline = "middle";
  plan.spots.forEach((spots, layer) => {
    // the last layer of the network is described by the last of the spec, however many there are between
    const described = layer && layer === plan.spots.length - 1 ? spec.layers.length - 1 : layer;
    spots.forEach((spot, place) => {
      const unit = spec.layers[described]?.units[place] || {};
      const index = layer ? layers[layer].first + place : -1 - place;
      paintUnit(picture, spot, unit, sheet.places.has(index) ? { sheet, index } : null);
      if (unit.label && !layer) paintInputLabel(picture, spot, unit.label, !!unit.off);
      if (layer) paintBias(picture, spot, layer, place);
    });
  });
}

/**
 * @param {NetworkPicture} picture
 * @param {[number, number]} spot
 * @param {{ off?: boolean, colour?: string }} unit
 * @param {{ sheet: UnitSheet, index: number } | null} tile
 */
function paintUnit({ context, plan, theme }, [x, y], { off, colour }, tile) {
  const { side } = plan;
  context.globalAlpha = off ? 0.35 : 1;
  if (tile) tile.sheet.drawUnit(context, tile.index, x - side / 2, y - side / 2, side);
  context.strokeStyle = colour || theme.text;
  context.lineWidth = colour ? 2.5 : 0.8;
  context.globalAlpha *= colour ? 1 : 0.55;
  context.strokeRect(x - side / 2, y - side / 2, side, side);
  context.globalAlpha = 1;
}

/**
 * @param {NetworkPicture} picture
 * @param {[number, number]} spot
 * @param {string} label
 * @param {boolean} off
 */
function paintInputLabel({ context, plan, theme }, [x, y], label, off) {
  context.globalAlpha = off ? 0.55 : 1;
  context.fillStyle = theme.text;
  context.textAlign = "center";
  context.fillText(label, x, y + plan.side / 2 + 7);
  context.globalAlpha = 1;
}

/**
 * The bias of a unit as a small square at its lower left.
 *
 * @param {NetworkPicture} picture
 * @param {[number, number]} spot
 * @param {number} layer
 * @param {number} unit
 */
function paintBias({ context, plan, layers, weights }, [x, y], layer, unit) {
  const { side } = plan;
  const bias = weights[weightIndex(layers, layer, unit, -1)];
  context.fillStyle = bias < 0 ? NEGATIVE : POSITIVE;
  const size = Math.round(clamp(3 + 3 * Math.min(1, Math.abs(bias)), 3, 6));
  context.fillRect(x - side / 2 - size - 1, y + side / 2 - size, size, size);
}

/** The maps of all units and inputs on one sheet, below each other: one upload a drawing, and not one a unit. */
export class UnitSheet {
  constructor() {
    this.canvas = document.createElement("canvas");
    this.image = new ImageData(1, 1);
    /** @type {Map<number, [number, number, number, number]>} Where a unit's map lies: x, y, width, height. */
    this.places = new Map();
  }

  /** @param {[number, UnitTile | null][]} tiles by index: a unit's place in the tiles, or -1 - an input's */
  update(tiles) {
    this.places = new Map();
    /** @type {[number, UnitTile][]} */
    const rows = [];
    let [width, height] = [1, 0];
    for (const [index, tile] of tiles) {
      if (!tile) continue;
      this.places.set(index, [0, height, tile.columns, tile.rows]);
      rows.push([height, tile]);
      width = Math.max(width, tile.columns);
      height += tile.rows;
    }
    this.resize(width, Math.max(1, height));
    const out = new Uint32Array(this.image.data.buffer);
    for (const [top, { values, columns, bytes, most }] of rows) {
      for (let i = 0, at = top * width; i < values.length; i++) {
        out[at++] = PIXELS[bytes ? values[i] : rampIndex(values[i], -most, most)];
        if ((i + 1) % columns === 0) at += width - columns;
      }
    }
    context2d(this.canvas).putImageData(this.image, 0, 0);
  }

  /**
   * @param {number} width
   * @param {number} height
   */
  resize(width, height) {
    const { canvas, image } = this;
    if (canvas.width === width && canvas.height === height && image.width === width && image.height === height) return;
    canvas.width = width;
    canvas.height = height;
    this.image = new ImageData(width, height);
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {number} index
   * @param {number} x
   * @param {number} y
   * @param {number} side
   */
  drawUnit(context, index, x, y, side) {
    const place = this.places.get(index);
    if (place) context.drawImage(this.canvas, ...place, x, y, side, side);
  }
}
