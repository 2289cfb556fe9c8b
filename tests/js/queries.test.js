import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Playhead } from "../../assets/board/playhead.js";
import { Queries } from "../../assets/board/queries.js";
import { Run } from "../../assets/board/run.js";

let sent, dropped, connected, run, playhead, queries;

beforeEach(() => {
  [sent, dropped, connected] = [[], [], true];
  run = new Run("r");
  run.history.append([], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10], []);
  run.update({ status: "done", frames: [0, 5, 10] });
  playhead = new Playhead();
  playhead.go(10, run);
  queries = new Queries({
    send: (message) => connected && sent.push(message) > 0,
    changed: () => {},
    landed: () => {},
    dropped: (key) => dropped.push(key),
  });
});

const send = (now) => queries.send(now, run, playhead);
const land = () => queries.land(sent.at(-1).id);

test("a question is asked once of a moment, and again when the frame on show is another", () => {
  queries.setPageQueries([{ name: "cell", args: { row: 1 } }]);
  assert.equal(send(0), Infinity);
  assert.deepEqual(sent, [{ op: "ask", id: 1, run: "r", step: 10, name: "cell", args: { row: 1 } }]);
  assert.equal(land(), "page/cell/0");
  send(1000);
  assert.equal(sent.length, 1);
  playhead.go(7, run);
  send(2000);
  assert.deepEqual([sent.length, sent[1].step], [2, 7]);
  land();
  playhead.go(6, run); // the same frame
  send(3000);
  assert.equal(sent.length, 2);
});

test("of one kind there is one question on its way, and a fifth of a second between two", () => {
  queries.askFrom("pair", { from: 1 }, true);
  send(0);
  playhead.go(3, run);
  send(10);
  assert.equal(sent.length, 1); // not yet answered
  land();
  assert.equal(send(50), 150);
  assert.equal(sent.length, 1);
  send(200);
  assert.deepEqual([sent.length, sent[1].step], [2, 3]);
});

test("a gesture keeps what an earlier one of its name said, and stands last", () => {
  queries.askFrom("pair", { from: 1 }, true);
  queries.askFrom("row", { row: 4 }, true);
  queries.askFrom("pair", { to: 2 }, true);
  assert.deepEqual(queries.keys(), ["pick/row", "pick/pair"]);
  send(0);
  assert.deepEqual(sent.at(-1).args, { from: 1, to: 2 });
});

test("what the page asks no longer is dropped, and its answer is nobody's", () => {
  queries.setPageQueries([{ name: "a" }, { name: "b", args: {} }]);
  send(0);
  queries.setPageQueries([{ name: "a", args: {} }]);
  assert.deepEqual(dropped, ["page/b/1"]);
  assert.equal(queries.land(2), null);
  assert.equal(queries.land(1), "page/a/0");
  assert.equal(queries.land(99), null);
  send(1000);
  assert.equal(sent.length, 2); // "a" was not changed
});

test("a question about no run is asked once, whatever runs come; one that does not follow once of each", () => {
  queries.setPageQueries([
    { name: "depth", once: true },
    { name: "start", follow: false },
  ]);
  send(0);
  for (const { id } of sent) queries.land(id);
  playhead.go(2, run);
  send(1000);
  assert.equal(sent.length, 2);
  queries.askFrom("node", { node: "x" }, false);
  send(2000);
  land();
  queries.changeRun();
  assert.deepEqual(dropped, ["pick/node"]); // it was about the run before
  run = Object.assign(new Run("other"), { history: run.history });
  send(3000);
  assert.deepEqual(
    sent.slice(3).map(({ name, run: id }) => [name, id]),
    [["start", "other"]],
  );
});

test("what was not answered when the connection broke is asked again", () => {
  queries.askFrom("cell", {}, true);
  send(0);
  queries.reconnect();
  connected = false;
  send(500);
  connected = true;
  send(1000);
  assert.deepEqual(
    sent.map(({ id }) => id),
    [1, 3],
  );
  assert.equal(queries.land(1), null);
  assert.equal(queries.land(3), "pick/cell");
});

test("at the head of a run that goes on the question is about wherever it is", () => {
  run.update({ status: "running" });
  queries.askFrom("cell", {}, true);
  send(0);
  assert.equal(sent[0].step, null);
});
