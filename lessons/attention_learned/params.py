"""Settings of the lesson in which attention is learned."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import field_validator

import engine.params
from engine.controls import Choice, Live, MultiChoice, Number, Slider, Text, Toggle, ViewOnly
from engine.types import Problem
from lessons.attention_learned.task import LETTERS

TASKS = ("copy", "reverse", "sort")
JOBS = ("source", "previous", "itself", "bar")
LONGEST = 12
HEADS = tuple(f"{layer}.{head}" for layer in range(1, 4) for head in range(1, 9))  # of the largest network


class Params(engine.params.Params):
    """What is to be written, and by which transformer.

    Each head works with width / heads numbers, rounded down. `own` is a learner's sequence, "" for none; `off` names
    heads as layer.head: those that are switched off together when the network on the board is asked.
    """

    task: Annotated[str, Choice(TASKS, row=True)] = "reverse"
    length: Annotated[int, Slider(2, LONGEST, step=1)] = 8
    layers: Annotated[int, Slider(1, 3, step=1)] = 2
    heads: Annotated[int, Slider(1, 8, step=1)] = 4
    own: Annotated[str, Text(60), ViewOnly()] = ""
    off: Annotated[tuple[str, ...], MultiChoice(HEADS, least=0, many=True), ViewOnly()] = ()
    job: Annotated[str, Choice(JOBS), ViewOnly()] = "source"
    positions: Annotated[str, Choice(("learned", "sine", "none"), row=True)] = "learned"
    lr: Annotated[float, Slider(0.00001, 0.1, log=True), Live()] = 0.002
    symbols: Annotated[int, Slider(2, len(LETTERS), step=1)] = 10
    mlp: Annotated[bool, Toggle()] = False
    width: Annotated[int, Slider(8, 64, step=8)] = 16
    batch: Annotated[int, Slider(8, 256, log=True)] = 64
    warmup: Annotated[int, Slider(0, 200, step=10)] = 50
    steps: Annotated[int, Slider(20, 3000, step=20)] = 300
    pace: Annotated[float, Slider(0.0, 200.0, step=5.0), Live()] = 15.0
    seed: Annotated[int, Number(0, 2**31 - 1)] = 0

    @field_validator("off")
    @classmethod
    def _in_order(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(sorted(value, key=HEADS.index))

    @field_validator("own", mode="after")
    @classmethod
    def _spell(cls, value: Any) -> Any:
        """Capital letters without spaces. Raises Problem for what is no symbol, and for too many of them."""
        symbols = "".join(str(value).upper().split())
        strange = next((symbol for symbol in symbols if symbol not in LETTERS), "")
        if strange:
            raise Problem(
                f"own has {strange!r} in it, which is no symbol here. Type letters from A to {LETTERS[-1]}, at most "
                f"{LONGEST}, such as BADCAFE.",
                f"own 里有 {strange!r}，这不是这里的符号。请输入 A 到 {LETTERS[-1]} 的字母，最多 {LONGEST} 个，"
                "例如 BADCAFE。",
            )
        if len(symbols) > LONGEST:
            raise Problem(
                f"own has {len(symbols)} symbols; at most {LONGEST} fit. Shorten it.",
                f"own 有 {len(symbols)} 个符号，最多 {LONGEST} 个，请缩短。",
            )
        return symbols


TINY = Params(steps=40, length=4, symbols=6, batch=32, warmup=10, lr=0.01, pace=0.0)

PRESETS: dict[str, dict[str, Any]] = {
    "default": {},
    "one": {"layers": 1, "heads": 1},
    "sort": {"task": "sort", "mlp": True, "width": 32, "steps": 600, "pace": 20.0},
    "nano": {
        "task": "sort",
        "length": 6,
        "layers": 3,
        "heads": 3,
        "symbols": 3,
        "mlp": True,
        "width": 48,
        "steps": 200,
        "own": "CBABBC",
    },
    "blind": {"positions": "none", "width": 32, "lr": 0.005, "steps": 600, "pace": 20.0},
}
