/** What Python computed (make_fixtures.py). */

import { readFileSync } from "node:fs";

/** The cases of a fixture; {"$float": "NaN"} is that number. */
export function cases(name) {
  const text = readFileSync(new URL(`fixtures/${name}.json`, import.meta.url), "utf-8");
  return JSON.parse(text, (_, value) => (typeof value?.$float === "string" ? Number(value.$float) : value));
}
