import assert from "node:assert/strict";
import { test } from "node:test";

import { clamp, exactNumber, number, shortNumber } from "../../assets/board/numbers.js";
import { cases } from "./fixtures.js";

test("numbers are written as in Python", () => {
  let compared = 0;
  for (const { value, texts } of cases("numbers")) {
    for (const [form, text] of Object.entries(texts)) {
      // minus zero has a sign in Python's percentages, none in the browser's
      const written = Object.is(value, -0) ? text.replace("−0.0 %", "0.0 %") : text;
      assert.equal(number(value, form), written, `${value} as "${form}"`);
      compared++;
    }
  }
  assert.ok(compared > 4000);
});

test("a number in a cell is short, an exact one has what a 32-bit float means", () => {
  assert.deepEqual([12345, 1234567, 0.123456, -3].map(shortNumber), ["12345", "1.2×10⁶", "0.12", "-3"]);
  assert.deepEqual([0.1 + 0.2, -1.23456789, NaN, -Infinity].map(exactNumber), ["0.3", "−1.234568", "NaN", "−∞"]);
});

test("clamp", () => {
  assert.deepEqual(
    [-1, 0.5, 9].map((value) => clamp(value, 0, 1)),
    [0, 0.5, 1],
  );
});
