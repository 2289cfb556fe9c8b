import assert from "node:assert/strict";
import { test } from "node:test";

import { History } from "../../assets/board/history.js";
import { reading } from "../../assets/board/readings.js";
import { cases } from "./fixtures.js";

test("sentences are those of Python, at every length of a run", () => {
  let compared = 0;
  for (const { history, names, say, sentences } of cases("readings")) {
    for (const [template, sentence] of Object.entries(sentences)) {
      assert.equal(reading(template, history, names, say), sentence, `${template} after ${history.length} steps`);
      compared++;
    }
  }
  assert.ok(compared >= 60);
});

test("a sentence is of the moment on show, whatever came later", () => {
  const [long] = cases("readings").slice(-1);
  const whole = History.of(long.history);
  for (const { history, names, say, sentences } of cases("readings")) {
    if (history.length === 0 || history.some(([, scalars]) => "diverged" in scalars)) continue;
    const moment = whole.at(history.at(-1)[0]);
    for (const [template, sentence] of Object.entries(sentences)) {
      assert.equal(reading(template, moment, names, say), sentence, template);
    }
  }
});
