import assert from "node:assert/strict";
import { test } from "node:test";

import { Run } from "../../assets/board/run.js";

const MB = 1 << 20;

function runWith(...steps) {
  const run = new Run("r");
  run.history.append([], steps, []);
  return run;
}

test("a message changes what it says, and the rest stays", () => {
  const run = runWith(0);
  run.update({ status: "running", total: 50, frames: [0, 10], checkpoints: [0, 1, 2] });
  run.update({ status: "done", rate: 3 });
  assert.deepEqual([run.status, run.total, run.rate, run.known, run.ended], ["done", 50, 3, true, true]);
  assert.deepEqual(
    [run.frameSteps, run.checkpoints],
    [
      [0, 10],
      [0, 1, 2],
    ],
  );
});

test("the frame that belongs to a step is the last one before it, in memory or at the server", () => {
  const run = runWith(0);
  assert.deepEqual([run.frameStep(9), run.cachedStep(9), run.checkpoint(9)], [-1, -1, -1]);
  run.update({ status: "running", frames: [0, 10, 20], checkpoints: [0, 8, 16] });
  run.addFrame(14, [], 1);
  assert.deepEqual(
    [9, 10, 14, 25].map((step) => run.frameStep(step)),
    [0, 10, 14, 20],
  );
  assert.deepEqual(
    [13, 14, 25].map((step) => run.cachedStep(step)),
    [-1, 14, 14],
  );
  assert.deepEqual(
    [7, 8, 99].map((step) => run.checkpoint(step)),
    [0, 8, 16],
  );
});

test("frames fill 64 MB: those that were not used for longest go, the newest never", () => {
  const run = runWith(0);
  for (const step of [0, 1, 2]) run.addFrame(step, [], 20 * MB);
  assert.equal(run.frame(0).step, 0); // used again
  run.addFrame(3, [], 20 * MB);
  assert.deepEqual([...run.frames.keys()], [2, 0, 3]);
  assert.equal(run.bytes, 60 * MB);
  run.addFrame(4, [], 100 * MB);
  assert.deepEqual([[...run.frames.keys()], run.bytes], [[4], 100 * MB]);
  run.addFrame(4, [], 5); // the same step again
  assert.equal(run.bytes, 5);
  assert.equal(run.frame(0), undefined);
});

test("a rewound run forgets numbers, frames and marks after the step, and is another version", () => {
  const run = runWith(0, 1, 2, 3, 4);
  run.update({ status: "running", frames: [0, 2, 4], checkpoints: [0, 2, 4] });
  for (const step of [0, 2, 4]) run.addFrame(step, [], 10);
  const before = run.version;
  run.rewind(2);
  assert.deepEqual([run.head, run.frameSteps, run.checkpoints], [2, [0, 2], [0, 2]]);
  assert.deepEqual([[...run.frames.keys()], run.bytes], [[0, 2], 20]);
  assert.notEqual(run.version, before);
  assert.notEqual(new Run("r").version, new Run("r").version);
});
