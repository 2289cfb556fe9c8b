/** Lines with no more points than can be seen. */

const POINTS = 4000; // points of a line beyond which it is thinned, unless a narrower plot can show even fewer

/** Bound arrays with no more points than can be seen. A line over an ascending x keeps, in each of its columns of
    pixels, the first, lowest, highest and last point, and every gap; another path drops points that lie on top of the
    one before. `span`: the x range on screen, if it is not all; `columns`: how many pixels there are for it. */
export function thin(arrays, trace, span = null, columns = POINTS / 4) {
  const { x, y } = arrays;
  if (!ArrayBuffer.isView(x) || !ArrayBuffer.isView(y) || y.length <= Math.min(POINTS, 4 * columns)) return arrays;
  const kept = [];
  let ascending = true;
  for (let i = 1; i < x.length && ascending; i++) ascending = x[i] >= x[i - 1];
  if (ascending && !arrays.z) {
    const [low, high] = span || [x[0], x[x.length - 1]];
    const width = (high - low) / columns || 1;
    let bin = NaN;
    let lowest = 0;
    let highest = 0;
    let start = 0;
    const close = (end) => {
      if (end > start) kept.push(...[...new Set([start, lowest, highest, end - 1])].sort((a, b) => a - b));
    };
    for (let i = 0; i < x.length; i++) {
      // beyond the screen a column is fifty times as wide
      const here =
        x[i] < low
          ? Math.floor((x[i] - low) / (50 * width))
          : x[i] > high
            ? 1e6 + Math.floor((x[i] - high) / (50 * width))
            : Math.floor((x[i] - low) / width) + 0.5;
      if (here !== bin || !Number.isFinite(y[i]) || !Number.isFinite(y[i - 1])) {
        close(i);
        [bin, start, lowest, highest] = [here, i, i, i];
      }
      if (y[i] < y[lowest]) lowest = i;
      if (y[i] > y[highest]) highest = i;
    }
    close(x.length);
  } else {
    const grain = [x, y, arrays.z].map((one) => {
      let [low, high] = [Infinity, -Infinity];
      for (const value of one || [])
        if (Number.isFinite(value)) [low, high] = [Math.min(low, value), Math.max(high, value)];
      return (high - low) / 2000 || 1;
    });
    let last = 0;
    kept.push(0);
    for (let i = 1; i < x.length; i++) {
      const near = [x, y, arrays.z].every((one, axis) => !one || Math.abs(one[i] - one[last]) < grain[axis]);
      if (!near || i === x.length - 1) kept.push((last = i));
    }
  }
  return Object.fromEntries(
    Object.entries(arrays).map(([key, all]) => [
      key,
      all.length === x.length ? all.constructor.from(kept, (i) => all[i]) : all,
    ]),
  );
}
