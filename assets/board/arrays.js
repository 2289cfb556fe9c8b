/** Arrays of a message, {values, shape}: compared, nested for plotly, flat. */

export const isArray = (value) => value !== null && typeof value === "object" && ArrayBuffer.isView(value.values);

/** Whether two patches' data, or parts of them, say the same. */
export function alike(one, other) {
  if (one === other) return true;
  if (one === null || other === null || typeof one !== "object" || typeof other !== "object") return false;
  if (ArrayBuffer.isView(one)) {
    if (one.constructor !== other.constructor || one.length !== other.length) return false;
    for (let i = 0; i < one.length; i++)
      if (one[i] !== other[i] && (one[i] === one[i] || other[i] === other[i])) return false;
    return true; // NaN is NaN again
  }
  const keys = Object.keys(one);
  return keys.length === Object.keys(other).length && keys.every((key) => key in other && alike(one[key], other[key]));
}

/** An array as plotly takes it: typed for one axis, rows of typed arrays for two, and so on. */
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

/** A flat list of whatever came: array, list or single number. */
export function flat(value) {
  if (value === undefined || value === null) return [];
  if (isArray(value)) return value.values;
  return Array.isArray(value) ? value : [value];
}

export function same(one, other) {
  for (let i = 0; i < one.length; i++) if (one[i] !== other[i]) return false;
  return true;
}
