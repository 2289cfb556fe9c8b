"""A formula's height and exact gradient at many points at once, by forward differentiation in numpy. No torch here.

Every part of the formula carries its value and its derivatives by x and by y (Wengert 1964, "A simple automatic
derivative evaluation program"). A derivative that is zero by form is None, and touches nothing, as in autograd, which
never goes back along a way that is not there.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from lessons.formula import Formula, Tree

Dual: TypeAlias = tuple[Any, Any, Any]  # value, derivative by x, derivative by y

SLOPES: dict[str, Callable[[Any, Any], Any]] = {  # of a function at x, where its value is y
    "sin": lambda x, y: np.cos(x),
    "cos": lambda x, y: -np.sin(x),
    "tan": lambda x, y: 1 + y * y,
    "sinh": lambda x, y: np.cosh(x),
    "cosh": lambda x, y: np.sinh(x),
    "tanh": lambda x, y: 1 - y * y,
    "exp": lambda x, y: y,
    "log": lambda x, y: 1 / x,
    "sqrt": lambda x, y: 0.5 / y,
    "abs": lambda x, y: np.sign(x),
}


def slope(formula: Formula, x: Any, y: Any) -> Dual:
    """Height, and its derivatives by x and y, each of the shape of x and y. Callers stand inside np.errstate."""
    value, by_x, by_y = along(formula.tree, x, y)
    shape = np.shape(x)
    return tuple(np.broadcast_to(0.0 if one is None else one, shape) for one in (value, by_x, by_y))  # type: ignore[return-value]


def along(tree: Tree, x: Any, y: Any) -> Dual:
    """The dual number of a tree; recursion is bounded as `formula.evaluate`'s is."""
    kind = tree[0]
    if kind == "name":
        return (x, 1.0, None) if tree[1] == "x" else (y, None, 1.0)
    if kind == "number":
        return tree[1], None, None
    if kind == "minus":
        value, *slopes = along(tree[1], x, y)
        return -value, *(None if one is None else -one for one in slopes)
    if kind == "call":
        at, *slopes = along(tree[2], x, y)
        value = getattr(np, tree[1])(at)
        rate = SLOPES[tree[1]](at, value)
        return value, *(None if one is None else rate * one for one in slopes)
    do, left, right = tree[1], along(tree[2], x, y), along(tree[3], x, y)
    value = do(left[0], right[0])
    rates = partial(do, left[0], right[0], value)
    return value, *(summed(rates, pair) for pair in zip(left[1:], right[1:], strict=True))


def partial(do: Callable[[Any, Any], Any], a: Any, b: Any, value: Any) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """The derivatives of an operation by its two operands, computed only where they are asked for."""
    if do is operator.add:
        return lambda: 1.0, lambda: 1.0
    if do is operator.sub:
        return lambda: 1.0, lambda: -1.0
    if do is operator.mul:
        return lambda: b, lambda: a
    if do is operator.truediv:
        return lambda: 1 / b, lambda: -value / b
    return lambda: power_slope(a, b), lambda: np.where((a == 0) & (b >= 0), 0.0, value * np.log(a))  # as torch has it


def power_slope(a: Any, b: Any) -> Any:
    """The derivative of a**b by a; a square's is the most common and need not take a power."""
    return 2 * a if isinstance(b, float) and b == 2 else np.where(b == 0, 0.0, b * a ** (b - 1))


def summed(rates: tuple[Callable[[], Any], Callable[[], Any]], slopes: tuple[Any, Any]) -> Any:
    """The chain rule for two operands."""
    parts = [rate() * one for rate, one in zip(rates, slopes, strict=True) if one is not None]
    return None if not parts else parts[0] if len(parts) == 1 else parts[0] + parts[1]
