import assert from "node:assert/strict";
import { test } from "node:test";

import { rampIndex, RAMPS, rgb } from "../../assets/board/colors.js";
import { cellAt, spanned, tileCorner } from "../../assets/board/figures/map_layout.js";
import { givenInputs, largestWeight, networkLayers, weightIndex } from "../../assets/board/figures/network_layout.js";
import { isBlank, setAttribute } from "../../assets/board/figures/plot_traces.js";

test("ramps end where their colours do, and white is zero", () => {
  const color = (table, i) => [...table.subarray(3 * i, 3 * i + 3)];
  assert.deepEqual(color(RAMPS.sequential, 0), rgb("#440154"));
  assert.deepEqual(color(RAMPS.sequential, 255), rgb("#fde725"));
  assert.ok(color(RAMPS.diverging, rampIndex(0, -3, 3)).every((part) => part > 250));
  assert.deepEqual(
    [-9, -3, 3, 9].map((value) => rampIndex(value, -3, 3)),
    [0, 0, 255, 255],
  );
  assert.equal(rampIndex(5, 5, 5), 0);
});

test("a point on a tile is the cell that is drawn there", () => {
  const tiles = { values: null, n: 5, rows: 3, columns: 4, depth: 1 };
  const plan = { cell: 10, across: 2, gap: 6, caption: 14, left: 20, top: 5, bottom: 200 };
  for (let tile = 0; tile < tiles.n; tile++) {
    const [x, y] = tileCorner(plan, tiles, tile);
    for (const [row, column] of [
      [0, 0],
      [2, 3],
      [1, 2],
    ]) {
      const point = [x + 10 * column + 5, y + 10 * row + 5];
      assert.deepEqual(cellAt(plan, tiles, point, false), [tile, row, column]);
      assert.deepEqual(cellAt(plan, tiles, point, true), [tile, 0, 0]);
    }
    assert.equal(cellAt(plan, tiles, [x - 2, y + 5], false), null);
    assert.equal(cellAt(plan, tiles, [x + 5, y - 2], false), null); // its caption
  }
});

test("the weights of a network lie as its lesson packs them: those of a layer [out][in], then its biases", () => {
  const layers = networkLayers([2, 3, 1]);
  const named = ["1.0.0", "1.0.1", "1.1.0", "1.1.1", "1.2.0", "1.2.1", "1.0.b", "1.1.b", "1.2.b"];
  named.push("2.0.0", "2.0.1", "2.0.2", "2.0.b");
  named.forEach((name, index) => {
    const [layer, unit, input] = name.split(".").map((part) => (part === "b" ? -1 : Number(part)));
    assert.equal(weightIndex(layers, layer, unit, input), index, name);
  });
  assert.deepEqual(
    layers.map(({ first }) => first),
    [-2, 0, 3],
  );
  const weights = [1, -4, NaN, 2, 0, Infinity, 99, 99, 99, 3, 0, 0, 99];
  assert.equal(largestWeight(layers, weights), 4);
  assert.deepEqual(givenInputs({ layers: [{ units: [{}, { off: true }, {}] }] }), [0, 2]);
});

test("a plot has something to show where a point can be drawn", () => {
  assert.ok(isBlank([{ x: [1, 2], y: [null, NaN] }]));
  assert.ok(isBlank([{ x: [NaN, 2], y: [1, null] }]));
  assert.ok(isBlank([{ x: [1], y: [1], opacity: 0 }]));
  assert.ok(!isBlank([{ x: [1, 2], y: [null, 2] }]));
  assert.ok(!isBlank([{ type: "surface", z: [] }]));
});

test("an attribute is set without touching what other traces share", () => {
  const shared = { size: 3, line: { width: 1 } };
  const trace = { marker: shared };
  setAttribute(trace, "marker.line.width", 5);
  setAttribute(trace, "x", [1]);
  assert.deepEqual(trace, { marker: { size: 3, line: { width: 5 } }, x: [1] });
  assert.equal(shared.line.width, 1);
});

test("a byte stands for its place in the span", () => {
  assert.deepEqual(
    [0, 51, 255].map((byte) => spanned(byte, [-3, 5])),
    [-3, -1.4, 5],
  );
  assert.equal(spanned(7, null), 7);
});
