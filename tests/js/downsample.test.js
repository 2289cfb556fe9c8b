import assert from "node:assert/strict";
import { test } from "node:test";

import { downsample } from "../../assets/board/downsample.js";

test("a long line keeps its extremes and gaps", () => {
  const x = Float64Array.from({ length: 50000 }, (_, i) => i);
  const y = Float64Array.from(x, (i) => Math.sin(i / 900));
  y[777] = 9;
  y[778] = -9;
  y[30000] = NaN;
  const out = downsample({ x, y });
  assert.ok(out.x.length < 4500);
  const points = new Map(Array.from(out.x, (step, i) => [step, out.y[i]]));
  assert.equal(points.get(777), 9);
  assert.equal(points.get(778), -9);
  assert.ok(Number.isNaN(points.get(30000)));
  assert.ok(points.has(0) && points.has(49999));
});

test("what is on screen keeps its detail where a part of a long line is shown", () => {
  const x = Float64Array.from({ length: 50000 }, (_, i) => i);
  const y = Float64Array.from(x, (i) => i % 7);
  const out = downsample({ x, y }, [20000, 20500], 500);
  const shown = out.x.filter((step) => step >= 20000 && step <= 20500);
  assert.equal(shown.length, 501);
  assert.ok(out.x.length < 5000);
  assert.deepEqual([out.x[0], out.x.at(-1)], [0, 49999]);
});

test("a path that turns back drops only points that lie on the one before", () => {
  const turn = Float64Array.from({ length: 40000 }, (_, i) => (2 * Math.PI * i) / 40000);
  const out = downsample({ x: turn.map(Math.cos), y: turn.map(Math.sin) });
  assert.ok(out.x.length > 1000 && out.x.length < 10000);
  for (let i = 1; i < out.x.length; i++) {
    assert.ok(Math.hypot(out.x[i] - out.x[i - 1], out.y[i] - out.y[i - 1]) < 0.004);
  }
  assert.equal(out.y.at(-1), Math.sin(turn.at(-1)));
});

test("a short line, and what is no line, stays as it is", () => {
  const short = { x: new Float64Array(100), y: new Float64Array(100) };
  const words = { x: ["a"], y: new Float64Array(9000) };
  assert.equal(downsample(short), short);
  assert.equal(downsample(words), words);
});
