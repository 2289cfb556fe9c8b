/**
 * The small map of what a unit of a network says everywhere.
 *
 * @import { UnitTile } from "../types.d.ts"
 */

import { flat, isArray } from "../arrays.js";

/**
 * The map of an input, which has numbers of its own.
 *
 * @param {number[][]} still rows of numbers
 * @returns {UnitTile}
 */
export function inputTile(still) {
  const values = still.flat();
  const most = Math.max(...values.map(Math.abs)) || 1;
  return { values, rows: still.length, columns: still[0].length, bytes: false, most };
}

/**
 * The map of a unit: bytes, which stand for minus to plus its scale.
 *
 * @param {Record<string, any>} data `tiles` (units, rows, columns) and their `scale` (units,)
 * @param {number} index
 * @returns {UnitTile | null}
 */
export function unitTile({ tiles, scale }, index) {
  if (!isArray(tiles) || index < 0 || index >= tiles.shape[0]) return null;
  const [, rows, columns] = tiles.shape;
  const values = tiles.values.subarray(index * rows * columns, (index + 1) * rows * columns);
  return { values, rows, columns, bytes: true, most: flat(scale)[index] };
}
