/**
 * Where a network's units stand, which weight lies where, and what a point of the picture belongs to.
 *
 * @import { NetworkSpec } from "../schema.d.ts"
 */

import { clamp } from "../numbers.js";

export const COLUMN = 64; // px that a layer needs at least
const LABEL = 17; // px of an input's name under it
const LINE_REACH = 6; // px from a line that still point at it

/**
 * @typedef {object} Layer
 * @property {number} units
 * @property {number} first index of its first unit in the tiles; negative for the inputs
 * @property {number} start index of the first weight into it
 */

/** @typedef {{ layer: number, unit: number, input?: number }} Part a unit, or the weight from an input to it */

/**
 * @typedef {object} NetworkPlan
 * @property {[number, number][][]} spots centres of the units of each layer, in px; of all inputs, given or not
 * @property {number} side px of a unit
 * @property {number} width px of the picture
 */

/**
 * The layers of a network of so many units each.
 *
 * @param {number[]} sizes of the inputs that are given, and of each layer
 * @returns {Layer[]}
 */
export function networkLayers(sizes) {
  let first = -sizes[0];
  let start = 0;
  return sizes.map((units, index) => {
    const layer = { units, first, start };
    first += units;
    if (index) start += units * (sizes[index - 1] + 1);
    return layer;
  });
}

/**
 * The index of a weight, or with input -1 of the unit's bias: those of a layer are [out][in], and then its biases.
 *
 * @param {Layer[]} layers
 * @param {number} layer
 * @param {number} unit
 * @param {number} input
 */
export function weightIndex(layers, layer, unit, input) {
  const { start, units } = layers[layer];
  const before = layers[layer - 1].units;
  return input < 0 ? start + units * before + unit : start + unit * before + input;
}

/**
 * The largest absolute weight that is finite; biases do not count.
 *
 * @param {Layer[]} layers
 * @param {ArrayLike<number>} weights
 */
export function largestWeight(layers, weights) {
  let most = 1e-12;
  layers.slice(1).forEach(({ start, units }, index) => {
    const end = start + units * layers[index].units;
    for (let i = start; i < end; i++) {
      const size = Math.abs(weights[i]);
      if (size > most && size < Infinity) most = size;
    }
  });
  return most;
}

/**
 * The inputs that the network is given, by their place in the drawing.
 *
 * @param {NetworkSpec} spec
 */
export const givenInputs = (spec) => spec.layers[0].units.flatMap((unit, place) => (unit.off ? [] : [place]));

/**
 * Every input that could be given has a spot; of the other layers those units that the network has.
 *
 * @param {NetworkSpec} spec
 * @param {Layer[]} layers
 * @param {{ width: number, height: number, head: number }} size px; `head` over the units for a layer's name and tools
 * @returns {NetworkPlan}
 */
export function networkPlan(spec, layers, { width, height, head }) {
  const counts = layers.map(({ units }, layer) => (layer ? units : spec.layers[0].units.length));
  const pitch = (width - COLUMN) / (layers.length - 1);
  const body = height - head - 4;
  const rowHeight = body / Math.max(...counts);
  const named = body / counts[0] - LABEL;
  const side = Math.floor(clamp(Math.min(rowHeight - 5, named, pitch * 0.62), 14, 46));
  const spots = counts.map((count, layer) => {
    const step = Math.min(body / count, side + 22);
    const top = head + (height - head - count * step) / 2;
    /** @returns {[number, number]} */
    const spot = (/** @type {number} */ unit) => [COLUMN / 2 + layer * pitch, top + (unit + 0.5) * step];
    return Array.from({ length: count }, (_, unit) => spot(unit));
  });
  return { spots, side, width };
}

/**
 * The centre of a unit; inputs are counted as the network is given them.
 *
 * @param {NetworkPlan} plan
 * @param {number[]} given
 * @param {number} layer
 * @param {number} unit
 * @returns {[number, number] | null}
 */
export const spotOf = ({ spots }, given, layer, unit) => spots[layer][layer ? unit : given[unit]] || null;

/**
 * The unit or the line at a point, or null.
 *
 * @param {NetworkPlan} plan
 * @param {Layer[]} layers
 * @param {number[]} given
 * @param {[number, number]} point
 * @returns {Part | null}
 */
export function partAt(plan, layers, given, [x, y]) {
  const { spots, side } = plan;
  for (let layer = 0; layer < spots.length; layer++) {
    const reach = side / 2 + 1;
    const unit = spots[layer].findIndex((spot) => Math.abs(x - spot[0]) <= reach && Math.abs(y - spot[1]) <= reach);
    if (unit >= 0) return { layer, unit };
  }
  /** @type {Part | null} */
  let nearest = null;
  let least = LINE_REACH;
  for (let layer = 1; layer < spots.length; layer++) {
    const [from, to] = [spots[layer - 1][0][0] + side / 2, spots[layer][0][0] - side / 2];
    if (x < from || x > to) continue;
    const rise = curveRise((x - from) / (to - from)); // the same for all lines of a gap
    for (let unit = 0; unit < layers[layer].units; unit++) {
      for (let input = 0; input < layers[layer - 1].units; input++) {
        const [a, b] = [spotOf(plan, given, layer - 1, input), spotOf(plan, given, layer, unit)];
        if (!a || !b) continue;
        const distance = Math.abs(y - a[1] - (b[1] - a[1]) * rise);
        if (distance < least) [least, nearest] = [distance, { layer, unit, input }];
      }
    }
  }
  return nearest;
}

/**
 * How far a line has risen, from 0 to 1, where it is that part of the way across: a Bézier curve with its handles in
 * the middle.
 *
 * @param {number} part from 0 to 1
 */
function curveRise(part) {
  let [low, high] = [0, 1];
  for (let i = 0; i < 20; i++) {
    const t = (low + high) / 2;
    if (1.5 * (1 - t) * t + t ** 3 < part) low = t;
    else high = t;
  }
  return 3 * low ** 2 - 2 * low ** 3;
}
