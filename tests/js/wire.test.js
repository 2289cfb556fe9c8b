import assert from "node:assert/strict";
import { test } from "node:test";

import { decode, resolveArrays } from "../../assets/board/wire.js";
import { cases } from "./fixtures.js";

const buffer = (base64) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)).buffer;

test("a message of Python is decoded: every kind of number, every shape", () => {
  for (const { message, header, arrays } of cases("wire")) {
    const found = decode(buffer(message));
    assert.deepEqual(found.header, header);
    assert.deepEqual(Object.keys(found.arrays), Object.keys(arrays));
    for (const [name, { shape, values }] of Object.entries(arrays)) {
      assert.deepEqual(found.arrays[name].shape, shape, name);
      assert.deepEqual(Array.from(found.arrays[name].values, Number), values, name);
    }
  }
});

test("arrays are views of the message, not copies, unless their kind has to be converted", () => {
  const message = buffer(cases("wire")[0].message);
  const { arrays } = decode(message);
  for (const [name, { values }] of Object.entries(arrays)) {
    assert.equal(values.buffer === message, !["float16", "int64"].includes(name), name);
  }
});

test("names of arrays in patches are replaced by the arrays, however deep they stand", () => {
  const arrays = { a: { values: new Float64Array([1]), shape: [1] } };
  const patches = [{ figure: "f", data: { x: { $: "a" }, list: [{ $: "a" }, 2, null], text: "$", none: null } }];
  const [patch] = resolveArrays(patches, arrays);
  assert.equal(patch.data.x, arrays.a);
  assert.equal(patch.data.list[0], arrays.a);
  assert.deepEqual(patch.data.list.slice(1), [2, null]);
  assert.deepEqual([patch.figure, patch.data.text, patch.data.none], ["f", "$", null]);
});
