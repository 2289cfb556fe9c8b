"""Writes tests/js/fixtures: what Python computes, for the tests of the board's modules to agree with.

`make fixtures` after a change of a format or a rule; test_fixtures.py fails while the files are not those of today.
A file is a JSON list of cases, one a line. Numbers that JSON does not have are {"$float": "NaN"}, "Infinity" or
"-Infinity".
"""

from __future__ import annotations

import base64
import json
import math
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from engine import wire
from engine.types import Array, Scalars
from lessons.board.fold import band_quantiles, bound_values
from lessons.board.readings import number, reading
from tests.browser.board import figures

FOLDER = Path(__file__).with_name("fixtures")
FORMS = ("", "%", "0", "2", "4")  # of a number
NAMES = {"sgd": "SGD"}
SAY = {"right": 0.5}

Case: TypeAlias = dict[str, Any]
History: TypeAlias = list[tuple[int, Scalars]]


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name in FIXTURES:
        (FOLDER / f"{name}.json").write_text(text(name), encoding="utf-8")


def text(name: str) -> str:
    """The file of that name as it should be today."""
    lines = (json.dumps(encode(case), ensure_ascii=False, allow_nan=False) for case in FIXTURES[name]())
    return "[\n" + ",\n".join(lines) + "\n]\n"


def encode(value: Any) -> Any:
    """`value` as JSON can hold it."""
    if isinstance(value, float) and not math.isfinite(value):
        return {"$float": "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"}
    if isinstance(value, dict):
        return {key: encode(item) for key, item in value.items()}
    return [encode(item) for item in value] if isinstance(value, list | tuple) else value


def wire_messages() -> Iterator[Case]:
    """A message in base64 with an array of each kind, and what is in it."""
    header = {"type": "é中", "n": 1}
    arrays: dict[str, Array] = {
        "float64": np.array([1.5, math.nan, math.inf, -math.inf], np.float64),
        "uint8": np.array([[1, 2, 3]], np.uint8),
        "int8": np.array([-1, 2], np.int8),
        "float16": np.array([0.1, -65504, 6e-8, math.nan, math.inf, 0.0], np.float16),
        "int64": np.array([2**40, -3], np.int64),
        "bool": np.array([True, False, True]),
        "float32": np.array([[0.1], [2.5]], np.float32),
        "int32": np.array([-7], np.int32),
        "no axes": np.array(3.25),
        "empty": np.zeros((0, 4), np.float32),
    }
    content = {
        name: {"shape": list(array.shape), "values": array.astype(np.float64).ravel().tolist()}
        for name, array in arrays.items()
    }
    yield {
        "message": base64.b64encode(wire.pack(header, arrays)).decode(),
        "header": header,
        "arrays": content,
    }
    yield {"message": base64.b64encode(wire.pack({})).decode(), "header": {}, "arrays": {}}


def numbers() -> Iterator[Case]:
    """Values, and how each of FORMS writes them."""
    dice = random.Random(1)
    values = [0.0, -0.0, 1.0, -1.0, 0.125, 1.125, 2.5, 12.25, 1e-4, 9.9995e-5, 999.5, 1e6, 999999.5, 1e21, 3e300]
    values += [-0.3, 0.5, math.nan, math.inf, -math.inf]
    values += [dice.uniform(-1, 1) * 10 ** dice.randint(-9, 9) for _ in range(400)]
    values += [dice.randint(-4000, 4000) / 2 ** dice.randint(0, 8) for _ in range(400)]
    for value in values:
        yield {"value": value, "texts": {form: number(value, form) for form in FORMS}}


def demo_history(last: int, diverged: bool = False) -> History:
    """The scalars of the browser tests' demo run, rounded to what every machine's exp and cos agree on."""
    return [
        (step, {name: float(f"{value:.9g}") for name, value in figures.scalars(step, diverged).items()})
        for step in range(last + 1)
    ]


def readings() -> Iterator[Case]:
    """Histories, and the sentence that each template becomes at their end."""
    templates = [template for _, _, template in figures.WORDS.values()]
    templates += [
        "{step} {now:loss} {first:loss|4} {min:loss} {max:loss} {at_min:loss}",
        "[diverged] gone || {flat:loss} || still moving",
        "{best:height.} {best:x.} {lowest:height.} {lowest:x.|2}",
        "{now:nothing} || {say:right|%} of {say:right}",
        "[accuracy] {now:accuracy|%} || no",
        "{min:val} {at_min:val} {now:val}",
        "",
    ]
    histories = [[], demo_history(0), demo_history(5), demo_history(33), demo_history(60, True), demo_history(120)]
    for history in histories:
        sentences = {template: reading(template, history, SAY, NAMES) for template in templates}
        yield {"history": history, "names": NAMES, "say": SAY, "sentences": sentences}


def bindings() -> Iterator[Case]:
    """Bindings of a trace to the scalars of a run, and the arrays they stand for at a step."""
    history = demo_history(60)
    binds: list[dict[str, str | list[str | None]]] = [
        {"x": "step", "y": "loss"},
        {"x": "step", "y": "val"},  # every other step
        {"x": "x.sgd", "y": "y.sgd", "z": "height.sgd"},
        {"x": "loss", "y": "val", "marker.size": "accuracy"},
        {"x": "step", "y": "nothing"},
        {"x": ["x.sgd", None, "nothing"], "y": ["loss", None, "val"]},
        {"x": "step", "y": ["val"]},
    ]
    yield {"history": history, "at": [{"step": step, "binds": bound_at(binds, history, step)} for step in (0, 31, 60)]}
    yield {"history": [], "at": [{"step": 0, "binds": bound_at(binds, [], 0)}]}


def bound_at(binds: list[dict[str, Any]], history: History, step: int) -> list[Case]:
    rows = [(at, scalars) for at, scalars in history if at <= step]
    return [
        {"bind": bind, "arrays": {key: bound_values(source, rows, bind) for key, source in bind.items()}}
        for bind in binds
    ]


def spreads() -> Iterator[Case]:
    """Many runs' scalars at every third step, one of them not a number once, and the band they make."""
    dice = random.Random(3)
    history: History = []
    for step in range(40):
        many = {f"s.{k}": float(f"{dice.gauss(0, 1):.9g}") for k in range(6)} if step % 3 == 0 else {}
        history.append((step, {"loss": 1.0, **many, **({"s.2": math.nan} if step == 6 else {})}))
    for step in (0, 5, 30, 39):
        band = band_quantiles("s.", history[: step + 1])
        yield {"history": history, "prefix": "s.", "step": step, "band": band}


FIXTURES: dict[str, Callable[[], Iterator[Case]]] = {
    "wire": wire_messages,
    "numbers": numbers,
    "readings": readings,
    "bindings": bindings,
    "spreads": spreads,
}

if __name__ == "__main__":
    main()
