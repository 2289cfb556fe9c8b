/**
 * What the units and the weights of a network are called.
 *
 * @import { NetworkSpec } from "../schema.d.ts"
 * @import { Part } from "./network_layout.js"
 */

import { exactNumber, number } from "../numbers.js";
import { givenInputs } from "./network_layout.js";

/**
 * @param {NetworkSpec} spec
 * @param {number} count of layers that the network has
 * @param {Part} part
 */
export function unitName({ layers, words }, count, { layer, unit }) {
  const last = layer === count - 1;
  const label = layers[last ? layers.length - 1 : layer]?.units[unit]?.label;
  if (label && (!layer || last)) return label;
  return (words.unit || "{layer}.{unit}").replace("{layer}", String(layer)).replace("{unit}", String(unit + 1));
}

/**
 * What an input of a layer's units is called: a unit of the layer before.
 *
 * @param {NetworkSpec} spec
 * @param {number} count
 * @param {number} layer
 * @param {number} input
 */
export function inputName(spec, count, layer, input) {
  return unitName(spec, count, { layer: layer - 1, unit: layer === 1 ? givenInputs(spec)[input] : input });
}

/**
 * What is said of a part that is pointed at.
 *
 * @param {NetworkSpec} spec
 * @param {number} count
 * @param {Part} part
 * @param {number} weight of a line, or bias of a unit
 * @param {number} scale the largest output of a unit
 */
export function partText(spec, count, part, weight, scale) {
  const { words, layers } = spec;
  const { layer, unit, input } = part;
  const name = unitName(spec, count, part);
  if (input !== undefined) {
    return `${inputName(spec, count, layer, input)} → ${name} · ${words.weight} ${exactNumber(weight)}`;
  }
  if (!layer) return layers[0].units[unit].help || layers[0].units[unit].label || "";
  return `${name} · ${words.bias} ${exactNumber(weight)} · ± ${number(scale, "3")}`;
}
