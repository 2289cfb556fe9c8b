import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { handleKey } from "../../assets/board/keys.js";
import { Playhead } from "../../assets/board/playhead.js";
import { Run } from "../../assets/board/run.js";
import { Transport } from "../../assets/board/transport.js";

let commands, forks, run, playhead, transport;

beforeEach(() => {
  [commands, forks] = [[], []];
  run = new Run("r");
  run.history.append([], [0, 2, 4, 6, 8], []);
  run.update({ status: "paused", total: 100, checkpoints: [0, 4, 8] });
  playhead = new Playhead();
  playhead.go(8, run);
  transport = new Transport({
    state: () => ({ run, playhead }),
    send: ({ command }) => commands.push(command) > 0,
    fork: (id, step) => forks.push([id, step]),
    changed: () => {},
    schedule: () => {},
  });
});

const key = (name, fields = {}) => {
  const event = { key: name, target: { closest: () => null }, preventDefault: () => {}, ...fields };
  return handleKey(event, transport, null);
};

test("behind the head it is the playhead that moves, at the head the run", () => {
  transport.stepBy(-1);
  assert.deepEqual([playhead.step, playhead.follow], [6, false]);
  transport.toggle();
  assert.deepEqual([playhead.playing, commands], [true, []]);
  transport.toggle();
  assert.equal(playhead.playing, false);
  transport.goLive();
  playhead.advance(0, run);
  transport.stepBy(1);
  transport.toggle();
  run.update({ status: "running" });
  transport.toggle();
  assert.deepEqual(commands, ["step", "resume", "pause"]);
});

test("a run that is over is replayed from its start, and is told nothing", () => {
  run.update({ status: "done" });
  transport.stepBy(1);
  transport.toggle();
  assert.deepEqual([playhead.playing, playhead.step, commands], [true, 0, []]);
});

test("scrubbing stops at steps that there are", () => {
  for (const [step, expected] of [
    [5, 4],
    [6, 6],
    [-3, 0],
    [99, 8],
  ]) {
    transport.scrub(step);
    assert.equal(playhead.step, expected);
  }
});

test("a fork is from the last marked step, and brackets go from mark to mark", () => {
  transport.scrub(6);
  transport.fork();
  key("[");
  key("[");
  transport.fork();
  key("]");
  key("f");
  assert.deepEqual(forks, [
    ["r", 4],
    ["r", 0],
    ["r", 4],
  ]);
  key("[");
  key("["); // there is none before
  assert.equal(playhead.step, 0);
});

test("keys are the board's unless something else wants them", () => {
  assert.equal(key("ArrowLeft"), true);
  assert.equal(playhead.step, 6);
  assert.equal(key("Home"), true);
  assert.equal(playhead.step, 0);
  assert.equal(key("x"), false);
  for (const fields of [{ ctrlKey: true }, { shiftKey: true }, { defaultPrevented: true }]) {
    assert.equal(key("End", fields), false);
  }
  const field = { closest: (selector) => (selector.includes("input") ? field : null) };
  assert.equal(key("End", { target: field }), false);
  assert.equal(playhead.step, 0);
  assert.equal(key("End"), true);
  assert.equal(playhead.follow, true);
});

test("without a run nothing is done", () => {
  run = null;
  transport.toggle();
  transport.command("stop");
  transport.fork();
  assert.equal(key(" "), false);
  assert.deepEqual([commands, forks], [[], []]);
});
