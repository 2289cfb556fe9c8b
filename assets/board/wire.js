/** The messages of the server: a JSON header and arrays behind it (engine/wire.py). */

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

/** A message as {header, arrays}; an array is {values, shape}, a view of the message wherever its kind allows. */
export function decode(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const body = Math.ceil((4 + length) / 8) * 8;
  const arrays = {};
  for (const { name, dtype, shape, at } of header.arrays) {
    const count = shape.reduce((product, n) => product * n, 1);
    let values = new VIEWS[dtype](buffer, body + at, count);
    if (dtype === "float16") values = Float32Array.from(values, half);
    if (dtype === "int64") values = Float64Array.from(values, Number);
    arrays[name] = { values, shape };
  }
  delete header.arrays;
  return { header, arrays };
}

/** The number that 16 bits stand for. */
function half(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -14 * (fraction / 1024));
}

/** Patches with each {"$": name} replaced by its array. */
export function resolved(value, arrays) {
  if (Array.isArray(value)) return value.map((one) => resolved(one, arrays));
  if (value === null || typeof value !== "object") return value;
  if (typeof value.$ === "string") return arrays[value.$];
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, resolved(one, arrays)]));
}
