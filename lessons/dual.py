"""A formula's value and exact gradient at many points at once, by forward differentiation in numpy. No torch here.

Every part of the formula is a dual number: its value and its derivatives by x and by y (Wengert 1964, "A simple
automatic derivative evaluation program"). A derivative that is zero whatever x and y are is None and is left out of
sums and products. So 0 * inf does not make NaN where autograd, which follows existing paths only, has no term at all.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from lessons.formula import Formula, Tree

Dual: TypeAlias = tuple[Any, Any, Any]  # value, derivative by x, derivative by y; a derivative may be None
Derivative: TypeAlias = Callable[[], Any]

DERIVATIVES: dict[str, Callable[[Any, Any], Any]] = {  # of each function at x, where its value is y
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


def gradient(formula: Formula, x: Any, y: Any) -> Dual:
    """Value, derivative by x and derivative by y, each of the shape of x and y. To be called inside np.errstate."""
    value, by_x, by_y = dual(formula.tree, x, y)
    shape = np.shape(x)
    return tuple(np.broadcast_to(0.0 if part is None else part, shape) for part in (value, by_x, by_y))  # type: ignore[return-value]


def dual(tree: Tree, x: Any, y: Any) -> Dual:
    """The dual number of a tree; formula.DEEPEST_TREE bounds the recursion."""
    kind = tree[0]
    if kind == "name":
        return (x, 1.0, None) if tree[1] == "x" else (y, None, 1.0)
    if kind == "number":
        return tree[1], None, None
    if kind == "minus":
        value, *derivatives = dual(tree[1], x, y)
        return -value, *(None if d is None else -d for d in derivatives)
    if kind == "call":
        argument, *derivatives = dual(tree[2], x, y)
        value = getattr(np, tree[1])(argument)
        outer = DERIVATIVES[tree[1]](argument, value)
        return value, *(None if d is None else outer * d for d in derivatives)
    operation, left, right = tree[1], dual(tree[2], x, y), dual(tree[3], x, y)
    value = operation(left[0], right[0])
    outer = partial_derivatives(operation, left[0], right[0], value)
    return value, *(chain(outer, pair) for pair in zip(left[1:], right[1:], strict=True))


def partial_derivatives(
    operation: Callable[[Any, Any], Any], a: Any, b: Any, value: Any
) -> tuple[Derivative, Derivative]:
    """The derivatives of `value` = operation(a, b) by a and by b, computed only if they are called."""
    if operation is operator.add:
        return lambda: 1.0, lambda: 1.0
    if operation is operator.sub:
        return lambda: 1.0, lambda: -1.0
    if operation is operator.mul:
        return lambda: b, lambda: a
    if operation is operator.truediv:
        return lambda: 1 / b, lambda: -value / b
    # the derivative by the exponent is 0 for the base 0, as in torch
    return lambda: power_derivative(a, b), lambda: np.where((a == 0) & (b >= 0), 0.0, value * np.log(a))


def power_derivative(a: Any, b: Any) -> Any:
    """The derivative of a**b by a. Squares are the most common, and theirs needs no power."""
    return 2 * a if isinstance(b, float) and b == 2 else np.where(b == 0, 0.0, b * a ** (b - 1))


def chain(outer: tuple[Derivative, Derivative], inner: tuple[Any, Any]) -> Any:
    """The chain rule for an operation's two operands; None if neither depends on the variable."""
    terms = [by_operand() * d for by_operand, d in zip(outer, inner, strict=True) if d is not None]
    return None if not terms else terms[0] if len(terms) == 1 else terms[0] + terms[1]
