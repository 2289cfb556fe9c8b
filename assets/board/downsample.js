/** Lines with no more points than can be seen. */

const POINTS = 4000; // points up to which a line is left as it is, unless the plot is narrower than a quarter of that

/**
 * Bound arrays without the points that could not be told apart.
 *
 * A line over an ascending x keeps, in each of its columns of pixels, the first, lowest, highest and last point, and
 * every gap; another path drops points that lie on top of the one before.
 *
 * @template {Record<string, any>} Arrays
 * @param {Arrays} arrays by attribute
 * @param {[number, number] | null} [range] of x on screen, if that is not all
 * @param {number} [columns] pixels there are for it
 * @returns {Arrays}
 */
export function downsample(arrays, range = null, columns = POINTS / 4) {
  const { x, y, z } = arrays;
  if (!ArrayBuffer.isView(x) || !ArrayBuffer.isView(y)) return arrays;
  const [xs, ys] = /** @type {[Float64Array, Float64Array]} */ (/** @type {unknown} */ ([x, y]));
  if (ys.length <= Math.min(POINTS, 4 * columns)) return arrays;
  const indices = !z && isAscending(xs) ? extremesByColumn(xs, ys, range, columns) : apart([xs, ys, z]);
  const pick = (/** @type {any} */ values) =>
    values.length === xs.length ? values.constructor.from(indices, (/** @type {number} */ i) => values[i]) : values;
  return /** @type {Arrays} */ (Object.fromEntries(Object.entries(arrays).map(([key, values]) => [key, pick(values)])));
}

/** @param {ArrayLike<number>} x */
function isAscending(x) {
  for (let i = 1; i < x.length; i++) if (!(x[i] >= x[i - 1])) return false;
  return true;
}

/**
 * Indices of the first, lowest, highest and last point of each column, and of the points beside gaps.
 *
 * @param {ArrayLike<number>} x
 * @param {ArrayLike<number>} y
 * @param {[number, number] | null} range
 * @param {number} columns
 */
function extremesByColumn(x, y, range, columns) {
  const [low, high] = range || [x[0], x[x.length - 1]];
  const width = (high - low) / columns || 1;
  /** @param {number} value beyond the screen a column is fifty times as wide */
  const columnOf = (value) => {
    if (value < low) return Math.floor((value - low) / (50 * width));
    if (value > high) return 1e6 + Math.floor((value - high) / (50 * width));
    return Math.floor((value - low) / width) + 0.5;
  };
  /** @type {number[]} */
  const indices = [];
  let column = NaN;
  let [start, lowest, highest] = [0, 0, 0];
  /** @param {number} end */
  const close = (end) => {
    if (end > start) indices.push(...[...new Set([start, lowest, highest, end - 1])].sort((a, b) => a - b));
  };
  for (let i = 0; i < x.length; i++) {
    const here = columnOf(x[i]);
    if (here !== column || !Number.isFinite(y[i]) || !Number.isFinite(y[i - 1])) {
      close(i);
      [column, start, lowest, highest] = [here, i, i, i];
    }
    if (y[i] < y[lowest]) lowest = i;
    if (y[i] > y[highest]) highest = i;
  }
  close(x.length);
  return indices;
}

/**
 * Indices of the points that differ from the one before by a two-thousandth of the range of some axis.
 *
 * @param {(ArrayLike<number> & Iterable<number> | undefined)[]} axes
 */
function apart(axes) {
  const grains = axes.map((values) => {
    let [low, high] = [Infinity, -Infinity];
    for (const value of values || []) {
      if (Number.isFinite(value)) [low, high] = [Math.min(low, value), Math.max(high, value)];
    }
    return (high - low) / 2000 || 1;
  });
  const length = axes[0]?.length ?? 0;
  const indices = [0];
  let last = 0;
  for (let i = 1; i < length; i++) {
    const near = axes.every((values, axis) => !values || Math.abs(values[i] - values[last]) < grains[axis]);
    if (!near || i === length - 1) indices.push((last = i));
  }
  return indices;
}
