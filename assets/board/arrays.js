/**
 * Arrays as messages carry them, {values, shape}: told from other values, compared, nested, flattened.
 *
 * @import { WireArray } from "./types.d.ts"
 */

/**
 * Whether a value of a patch is an array of the message.
 *
 * @param {any} value
 * @returns {value is WireArray}
 */
export const isArray = (value) => value !== null && typeof value === "object" && ArrayBuffer.isView(value.values);

/**
 * Whether two lists have the same values in the same order.
 *
 * @param {ArrayLike<unknown>} a
 * @param {ArrayLike<unknown>} b
 */
export function sameValues(a, b) {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/**
 * Whether two patches' data, or parts of them, are equal; NaN equals NaN.
 *
 * @param {any} a
 * @param {any} b
 * @returns {boolean}
 */
export function deepEqual(a, b) {
  if (a === b) return true;
  if (a === null || b === null || typeof a !== "object" || typeof b !== "object") return false;
  if (ArrayBuffer.isView(a)) {
    const [left, right] = [/** @type {any} */ (a), b];
    if (left.constructor !== right.constructor || left.length !== right.length) return false;
    for (let i = 0; i < left.length; i++) {
      if (left[i] !== right[i] && !(Number.isNaN(left[i]) && Number.isNaN(right[i]))) return false;
    }
    return true;
  }
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => key in b && deepEqual(a[key], b[key]));
}

/**
 * A value as plotly takes it: an array of one axis is typed, one of two axes is rows of typed arrays, and so on.
 *
 * @param {any} value
 * @returns {any}
 */
export function nested(value) {
  if (!isArray(value)) return value;
  const { values, shape } = value;
  if (shape.length === 0) return values[0];
  if (shape.length === 1) return values;
  const size = values.length / shape[0];
  const rows = [];
  for (let i = 0; i < shape[0]; i++) {
    rows.push(nested({ values: values.subarray(i * size, (i + 1) * size), shape: shape.slice(1) }));
  }
  return rows;
}

/**
 * The values of an array, a list, a single number or nothing as a flat list.
 *
 * @param {any} value
 * @returns {any}
 */
export function flat(value) {
  if (value === undefined || value === null) return [];
  if (isArray(value)) return value.values;
  return Array.isArray(value) ? value : [value];
}
