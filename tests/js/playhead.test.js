import assert from "node:assert/strict";
import { test } from "node:test";

import { History } from "../../assets/board/history.js";
import { Playhead } from "../../assets/board/playhead.js";

/** A run of steps from 0 to `head`. */
function run(head, fields = {}) {
  const history = new History();
  history.append(
    [],
    Array.from({ length: head + 1 }, (_, step) => step),
    [],
  );
  return { history, head, total: head, params: {}, ended: true, ...fields };
}

/** Lets time pass, `tick` ms at once, until the playhead rests; returns in how many seconds. */
function rest(playhead, shown, tick = 50) {
  let now = 1000;
  while (playhead.advance(now, shown)) {
    assert.ok(now < 100_000);
    now += tick;
  }
  return (now - 1000) / 1000;
}

test("at the head it follows the run", () => {
  const playhead = new Playhead();
  assert.equal(playhead.advance(0, run(-1)), false);
  assert.equal(playhead.step, -1);
  for (const head of [0, 7, 30]) {
    assert.equal(playhead.advance(0, run(head)), false);
    assert.equal(playhead.step, head);
  }
});

test("where the viewer went it stays, and at the head it follows again", () => {
  const playhead = new Playhead();
  playhead.go(4, run(10));
  playhead.advance(0, run(20));
  assert.deepEqual([playhead.step, playhead.follow], [4, false]);
  playhead.go(20, run(20));
  playhead.advance(0, run(30));
  assert.deepEqual([playhead.step, playhead.follow], [30, true]);
  playhead.go(25, run(30));
  playhead.advance(0, run(12)); // set back
  assert.equal(playhead.step, 12);
});

test("a replay takes six seconds, however long the run is, and less at a higher speed", () => {
  for (const head of [60, 1000, 20_000]) {
    const playhead = new Playhead();
    playhead.play(0);
    const seconds = rest(playhead, run(head));
    assert.ok(Math.abs(seconds - 6) < 0.15, `${head}: ${seconds}`);
    assert.deepEqual([playhead.step, playhead.follow, playhead.playing], [head, true, false]);
  }
  const fast = new Playhead();
  fast.speed = 4;
  fast.play(0);
  assert.ok(Math.abs(rest(fast, run(1000)) - 1.5) < 0.15);
});

test("a run that was paced slowly is replayed at its pace", () => {
  const playhead = new Playhead();
  playhead.play(0);
  assert.ok(Math.abs(rest(playhead, run(30, { params: { pace: 5 } })) - 6) < 0.3);
  playhead.play(0);
  assert.ok(Math.abs(rest(playhead, run(30, { params: { pace: 10 } })) - 3) < 0.3);
  playhead.play(0);
  assert.ok(Math.abs(rest(playhead, run(30, { params: { pace: 200 } })) - 6) < 0.3);
});

test("a page that was hidden for long goes on where it was", () => {
  const playhead = new Playhead();
  playhead.play(0);
  playhead.advance(1000, run(600));
  playhead.advance(61_000, run(600));
  assert.equal(playhead.step, 25); // a quarter of a second, at 100 steps a second
});

test("a run that arrives within its first second is replayed, a slow one followed", () => {
  const fast = new Playhead();
  fast.pace(1000);
  const going = { ended: false, total: 120 };
  assert.equal(fast.advance(1500, run(60, going)), true);
  assert.equal(fast.step, 10); // 20 steps a second
  fast.advance(2100, run(60, going)); // 40 % of it are here
  assert.deepEqual([fast.playing, fast.follow, fast.step], [true, false, 22]);
  const slow = new Playhead();
  slow.pace(1000);
  slow.advance(2100, run(12, going));
  assert.deepEqual([slow.playing, slow.follow, slow.step], [false, true, 12]);
});
