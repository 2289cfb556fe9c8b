import assert from "node:assert/strict";
import { test } from "node:test";

import { History } from "../../assets/board/history.js";
import { cases } from "./fixtures.js";

const list = (value) => (ArrayBuffer.isView(value) ? Array.from(value) : value);

function near(found, expected, within, name) {
  assert.equal(found.length, expected.length, name);
  found.forEach((value, i) => assert.ok(Math.abs(value - expected[i]) <= within, `${name}[${i}]: ${value}`));
}

test("bindings stand for the arrays that Python makes of them", () => {
  for (const { history, at } of cases("bindings")) {
    const whole = History.of(history);
    for (const { step, binds } of at) {
      for (const { bind, arrays } of binds) {
        const found = whole.at(step).bound(bind);
        const lists = Object.fromEntries(Object.entries(found).map(([key, value]) => [key, list(value)]));
        assert.deepEqual(lists, arrays, `${JSON.stringify(bind)} at ${step}`);
      }
    }
  }
});

test("bindings from a step on leave out what is before it", () => {
  const whole = History.of(cases("bindings")[0].history).at(60);
  for (const bind of [
    { x: "step", y: "loss" },
    { x: "step", y: "val", z: ["loss"] },
  ]) {
    const [all, late] = [whole.bound(bind), whole.bound(bind, 21)];
    const skip = all.x.findIndex((step) => step >= 21);
    assert.deepEqual(list(late.x), list(all.x).slice(skip));
    assert.deepEqual(list(late.y), list(all.y).slice(skip));
    assert.deepEqual(late.z, all.z);
  }
});

test("a band is that of Python", () => {
  for (const { history, prefix, step, band } of cases("spreads")) {
    const found = History.of(history).at(step).quartiles(prefix);
    assert.deepEqual(found.x, band.x);
    for (const [key, name] of Object.entries({
      low: "low",
      lower: "lower",
      middle: "y",
      upper: "upper",
      high: "high",
    })) {
      near(found[key], band[name], 1e-12, `${key} at ${step}`);
    }
  }
});

test("a band over a long run has a few hundred points, the first and the last step among them", () => {
  const long = History.of(Array.from({ length: 5000 }, (_, step) => [step, { s0: step, s1: -step }]));
  const { x, low, high } = long.at(4321).quartiles("s");
  assert.deepEqual([x.length, x[0], x.at(-1)], [300, 0, 4321]);
  assert.deepEqual([low.at(-1), high.at(-1)], [-4321, 4321]);
  assert.deepEqual(long.at(-1).quartiles("s").x, []);
});

test("blocks are merged in the order of their steps, and what is there already is passed over", () => {
  const history = new History();
  const odd = { names: ["a"], steps: Int32Array.of(1, 3, 5), values: Float64Array.of(1, 3, 5) };
  const even = { names: ["a", "b"], steps: Int32Array.of(0, 2, 4), values: Float64Array.of(0, 10, 2, 12, 4, 14) };
  history.add([odd, even]);
  history.append(["a"], [4, 5, 6], [44, 55, 6]);
  assert.deepEqual([history.first, history.last], [0, 6]);
  const moment = history.at(6);
  assert.deepEqual(list(moment.series("a").values), [0, 1, 2, 3, 4, 5, 6]);
  assert.deepEqual(list(moment.series("b").steps), [0, 2, 4]);
  assert.deepEqual([moment.now("a"), moment.now("b"), history.at(4).now("b")], [6, undefined, 14]);
  assert.equal(history.at(4).count("b"), 3);
  assert.equal(moment.series("c"), null);
});

test("a history forgets what is after a step, and goes on from there", () => {
  const history = History.of(Array.from({ length: 200 }, (_, step) => [step, { a: step }]));
  history.truncate(120);
  assert.equal(history.last, 120);
  history.append(["a"], [121], [-1]);
  assert.deepEqual(list(history.at(Infinity).series("a").values.slice(-2)), [120, -1]);
});

test("the step beside another one stays within the run", () => {
  const history = History.of([0, 2, 5].map((step) => [step, {}]));
  const beside = [
    [2, -1],
    [2, 1],
    [3, -1],
    [3, 1],
    [0, -1],
    [5, 1],
    [9, 1],
  ];
  assert.deepEqual(
    beside.map(([step, direction]) => history.neighbour(step, direction)),
    [0, 5, 2, 5, 0, 5, 5],
  );
  assert.equal(new History().neighbour(7, 1), 7);
});
