import assert from "node:assert/strict";
import { test } from "node:test";

import { deepEqual, flat, isArray, nested, sameValues } from "../../assets/board/arrays.js";

const array = (values, ...shape) => ({ values: Float64Array.from(values), shape });

test("patches are equal where their numbers are, and NaN is NaN again", () => {
  const patch = () => ({ tiles: array([1, NaN, 3], 3), say: { right: 0.5 }, names: ["a", "b"], select: null });
  assert.ok(deepEqual(patch(), patch()));
  assert.ok(!deepEqual(patch(), { ...patch(), tiles: array([1, NaN, 4], 3) }));
  assert.ok(!deepEqual(patch(), { ...patch(), tiles: array([1, NaN, 3], 1, 3) }));
  assert.ok(!deepEqual(patch(), { ...patch(), tiles: { values: Float32Array.of(1, NaN, 3), shape: [3] } }));
  assert.ok(!deepEqual(patch(), { ...patch(), select: 0 }));
  assert.ok(!deepEqual(patch(), { ...patch(), more: 1 }));
});

test("plotly gets rows of typed arrays, and numbers that have no axes as they are", () => {
  assert.deepEqual(nested(array([1, 2, 3, 4, 5, 6], 2, 3)), [Float64Array.of(1, 2, 3), Float64Array.of(4, 5, 6)]);
  assert.equal(nested(array([7])), 7);
  assert.equal(nested("title"), "title");
  const deep = nested(array([1, 2, 3, 4], 2, 1, 2));
  assert.deepEqual(deep, [[Float64Array.of(1, 2)], [Float64Array.of(3, 4)]]);
});

test("anything is a flat list", () => {
  assert.deepEqual([undefined, null, 3, [1, 2]].map(flat), [[], [], [3], [1, 2]]);
  assert.deepEqual(flat(array([1, 2], 2, 1)), Float64Array.of(1, 2));
  assert.deepEqual(
    [isArray(array([1], 1)), isArray([1]), isArray(null), isArray({ values: [1] })],
    [true, false, false, false],
  );
});

test("lists are the same where length and values are", () => {
  assert.ok(sameValues([1, 2], Int32Array.of(1, 2)));
  assert.ok(!sameValues([1, 2], [1, 2, 3]));
  assert.ok(!sameValues([1, 2], [1, 3]));
});
