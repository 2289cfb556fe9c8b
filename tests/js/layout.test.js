import assert from "node:assert/strict";
import { test } from "node:test";

import { placeFigures } from "../../assets/board/layout.js";

const figure = (size, height) => ({ size, height });
const places = (figures) => placeFigures(figures).map(({ place, height }) => `${place} ${height}`);

test("smaller figures stand beside the hero, as many as its height holds, and share it", () => {
  const figures = [figure("hero", 400), figure("half", 240), figure("third", 140), figure("half", 300)];
  assert.deepEqual(places(figures), ["hero 400", "beside 212", "beside 123", "half 300"]);
  assert.equal(placeFigures(figures)[0].rows, 2);
  assert.deepEqual(places([figure("hero", 380), figure("third", 380)]), ["hero 380", "beside 380"]);
});

test("a hero with nothing to stand beside it takes the whole width", () => {
  assert.deepEqual(places([figure("hero", 400)]), ["full 400"]);
  assert.deepEqual(places([figure("hero", 400), figure("full", 150), figure("half", 240)]), [
    "full 400",
    "full 150",
    "half 240",
  ]);
  assert.deepEqual(places([figure("half", 240), figure("third", 220)]), ["half 240", "third 220"]);
});
