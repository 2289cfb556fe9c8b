"""The table of the backpropagation lesson: the operation of a step in numbers, term by term."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lessons.backprop.moment import Moment, columns_of, formula, parts
from lessons.backprop.tape import pretty
from lessons.board.figures import Table, TableColumn
from lessons.text import Words


def terms(words: Words) -> Table:
    """The operation of this step in numbers, term by term."""
    labels = words.figures["terms"].labels
    columns: list[TableColumn] = [{"title": labels[key]} for key in ("first", "second", "product", "sum")]
    return Table("terms", columns, labels["head"], size="full", height=215)


def rows(now: Moment) -> tuple[list[str], np.ndarray[Any, np.dtype[np.float64]]]:
    """The terms of this operation: names, and first factor, second factor, product, and the sum so far."""
    names: list[str] = []
    values: list[list[float]] = []

    def row(name: str, first: float, second: float, product: float, total: float) -> None:
        names.append(name)
        values.append([float(first), float(second), float(product), float(total)])

    tape, nan = now.tape, float("nan")
    if now.operation.phase == "start":
        for i in tape.given:
            row(now.name(i), nan, nan, nan, now.values[i])
    elif now.operation.phase == "update":
        for i in tape.learnt:
            if not math.isnan(now.grads[i]):
                step = -now.lr * now.grads[i]
                row(f"{now.name(i)}  += −lr · ∂L/∂{now.name(i)}", -now.lr, now.grads[i], step, now.values[i])
    elif now.operation.phase == "backward":
        for i in now.operation.nodes:
            for k, arg in enumerate(tape.nodes[i].args):
                if tape.nodes[arg].kind != "number":
                    name = f"∂L/∂{now.name(arg)}  += ∂L/∂{now.name(i)} · slope"
                    row(name.replace("slope", f"∂{now.name(i)}/∂{now.name(arg)}"), now.grads[i], now.derivatives[i, k],
                        now.passed(i, k), now.grads[arg])  # fmt: skip
    else:
        for i in now.operation.nodes:
            args = tape.nodes[i].args
            kind = tape.nodes[i].kind
            if kind == "sum":
                total = 0.0
                for weight, value in zip(args[:-1:2], args[1::2], strict=True):
                    product = now.values[weight] * now.values[value]
                    total += product
                    name = f"{now.name(weight)} · {now.name(value)}"
                    row(name, now.values[weight], now.values[value], product, total)
                row(now.name(args[-1]), nan, nan, now.values[args[-1]], now.values[i])
            elif kind.startswith("loss."):
                loss_rows(now, row)
            else:
                first, second, *_ = [*(float(now.values[arg]) for arg in args), nan]
                row(f"{now.name(i)} = {formula(now, i)}", first, second, now.values[i], nan)
    return names, np.array(values, np.float64).reshape(len(names), 4)


def loss_rows(now: Moment, row: Any) -> None:
    """What each output adds to the loss: output, target, its part, the sum so far."""
    outputs = columns_of(now.tape)[-1]
    total = 0.0
    for name, part in zip(outputs, parts(now), strict=True):
        total += part
        o, y = now.values[now.tape.index[name]], now.values[now.tape.index[f"y{name[1:]}"]]
        unit, target = pretty(name), pretty(f"y{name[1:]}")
        text = {
            "squared": f"½({unit} − {target})²",
            "squared_sigmoid": f"½({unit} − {target})²",
            "softmax": f"−{target} · log {unit}",
            "sigmoids": f"−{target} · log {unit} − (1 − {target}) · log(1 − {unit})",
        }[now.params.loss]
        row(text, o, y, part, total)
