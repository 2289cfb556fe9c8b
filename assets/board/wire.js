/**
 * Messages of the server (engine/wire.py): the length of a JSON header, the header, and arrays behind it.
 *
 * @import { WireArray, WireArrays } from "./types.d.ts"
 */

/** The typed array of a numpy dtype; float16 and int64 are converted after it. */
const VIEWS = {
  uint8: Uint8Array,
  int8: Int8Array,
  bool: Uint8Array,
  int32: Int32Array,
  int64: BigInt64Array,
  float16: Uint16Array,
  float32: Float32Array,
  float64: Float64Array,
};

/**
 * Takes a message apart. Arrays are views of the buffer wherever their dtype allows.
 *
 * @param {ArrayBuffer} buffer
 * @returns {{ header: any, arrays: WireArrays }}
 */
export function decode(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const body = Math.ceil((4 + length) / 8) * 8;
  /** @type {WireArrays} */
  const arrays = {};
  for (const { name, dtype, shape, at } of header.arrays) {
    const count = shape.reduce((/** @type {number} */ product, /** @type {number} */ n) => product * n, 1);
    /** @type {any} */
    let values = new VIEWS[/** @type {keyof typeof VIEWS} */ (dtype)](buffer, body + at, count);
    if (dtype === "float16") values = Float32Array.from(values, fromHalf);
    if (dtype === "int64") values = Float64Array.from(values, Number);
    arrays[name] = { values, shape };
  }
  delete header.arrays;
  return { header, arrays };
}

/**
 * The number that the 16 bits of a half-precision float stand for.
 *
 * @param {number} bits
 */
function fromHalf(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -14 * (fraction / 1024));
}

/**
 * Patches with each {"$": name} in them replaced by the array of that name.
 *
 * @param {any} value
 * @param {WireArrays} arrays
 * @returns {any}
 */
export function resolveArrays(value, arrays) {
  if (Array.isArray(value)) return value.map((item) => resolveArrays(item, arrays));
  if (value === null || typeof value !== "object") return value;
  if (typeof value.$ === "string") return arrays[value.$];
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, resolveArrays(item, arrays)]));
}
