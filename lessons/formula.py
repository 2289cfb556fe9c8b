"""A formula that a learner types: parsed with a whitelist, evaluated by numpy or torch, never by `eval`.

A Grammar says what a formula may contain. SURFACE is the grammar of heights f(x, y); lessons may define others.

The text is put into Python's spelling (lessons/spelling.py) and cut into tokens first, so that a name or sign which is
not allowed is refused with its position before Python's own parser sees it. Then Python's `ast` is walked and turned
into nested tuples. Length, depth, number of nodes, constants and exponents are bounded, and all numbers are floats, so
that no formula takes long or much memory.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

from engine.types import Problem
from lessons.spelling import TOKEN, normalised, written_out

LONGEST = 200  # characters
DEEPEST = 20  # brackets within brackets
DEEPEST_TREE = 40  # operations within operations: a sum of 41 terms
NODES = 120
LARGEST = 1e6  # of a number as it is typed
EXPONENT = 16  # of a constant exponent

FUNCTIONS = ("sin", "cos", "tan", "sinh", "cosh", "tanh", "exp", "log", "sqrt", "abs")
CONSTANTS = {"pi": math.pi, "e": math.e}
OPERATIONS: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}

# One of ("name", "x"), ("number", 2.0), ("call", "sin", tree, …), ("do", operator, left, right), ("minus", tree).
Tree: TypeAlias = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Grammar:
    """What a formula may contain, and how messages name it.

    `functions` take one value, `pairs` two. `subject` begins each message ("f(x, y)"); `en` and `zh` list the
    variables; `sample_en` and `sample_zh` end the sentence "Type one …".
    """

    variables: frozenset[str]
    functions: tuple[str, ...]
    pairs: tuple[str, ...]
    subject: str
    en: str
    zh: str
    sample_en: str
    sample_zh: str

    @property
    def names(self) -> frozenset[str]:
        return self.variables | CONSTANTS.keys() | {*self.functions, *self.pairs}

    @property
    def allowed_en(self) -> str:
        comma = " ," if self.pairs else ""
        known = ", ".join((*self.functions, *self.pairs))
        return f"You may use {self.en}, pi, e, numbers, + - * / ** ( ){comma} and {known}."

    @property
    def allowed_zh(self) -> str:
        comma = " ," if self.pairs else ""
        known = "、".join((*self.functions, *self.pairs))
        return f"可以使用 {self.zh}、pi、e、数字、+ - * / ** ( ){comma} 以及 {known}。"


SURFACE = Grammar(
    frozenset("xy"),
    FUNCTIONS,
    (),
    "f(x, y)",
    "x, y",
    "x、y",
    "in x and y, such as x**2 + 3*y**2",
    "含 x 和 y 的公式，例如 x**2 + 3*y**2",
)
NAMES = tuple(sorted(SURFACE.names))


@dataclass(frozen=True, slots=True)
class Formula:
    """A parsed formula. `text` is it in Python's own spelling, safe to put into a program."""

    text: str
    tree: Tree

    def __call__(self, x: Any, y: Any, library: Any) -> Any:
        """Of a formula of SURFACE: heights at x and y, elementwise; arrays with library=numpy, tensors with torch.

        A formula without x and y gives a float. Division by zero and overflow give inf or nan, as the library has
        them; with numpy it is to be called inside np.errstate.
        """
        return evaluate(self.tree, {"x": x, "y": y}, library)


def evaluate(tree: Tree, values: Mapping[str, Any], library: Any) -> Any:
    """The value of a tree for these values of its variables; recursion is bounded by DEEPEST_TREE."""
    kind = tree[0]
    if kind == "name":
        return values[tree[1]]
    if kind == "number":
        return tree[1]
    if kind == "call":
        return getattr(library, tree[1])(*(evaluate(argument, values, library) for argument in tree[2:]))
    if kind == "minus":
        return -evaluate(tree[1], values, library)
    return tree[1](evaluate(tree[2], values, library), evaluate(tree[3], values, library))


@lru_cache(maxsize=256)
def parse(text: str, grammar: Grammar = SURFACE) -> Formula:
    """`text` as a Formula. Raises Problem, and nothing else; it says what is wrong, where, and what is allowed."""
    if len(text) > LONGEST:
        raise Problem(
            f"The formula has {len(text)} characters; at most {LONGEST} fit. Shorten it.",
            f"公式有 {len(text)} 个字符，最多 {LONGEST} 个，请缩短。",
        )
    source, origin = normalised(text)
    if not source.strip():
        raise Problem(
            f"The formula is empty. Type one {grammar.sample_en}. {grammar.allowed_en}",
            f"公式是空的。请输入{grammar.sample_zh}。{grammar.allowed_zh}",
        )
    source, origin = written_out(source, origin, grammar.names, {*grammar.functions, *grammar.pairs})
    check_tokens(source, origin, grammar)
    origin = origin[len(source) - len(source.lstrip()) :]
    source = source.strip()
    try:
        body = ast.parse(source, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        at = (getattr(error, "offset", None) or len(source)) - 1
        raise problem_at(
            grammar,
            origin,
            min(max(at, 0), len(source) - 1),
            "The formula cannot be read at character {}: a sign, a number or a bracket is missing or out of place.",
            "公式在第 {} 个字符处读不下去：缺少或多了运算符、数字或括号。",
        ) from None
    return Formula(source, TreeBuilder(origin, grammar).build(body, 0))


def problem_at(grammar: Grammar, origin: list[int], at: int, en: str, zh: str) -> Problem:
    """The Problem of the character `at`, whose position in the text, counted from 1, replaces "{}" in `en` and `zh`."""
    position = origin[at] + 1
    return Problem(
        f"{grammar.subject}: {en.format(position)} {grammar.allowed_en}",
        f"{grammar.subject}：{zh.format(position)}{grammar.allowed_zh}",
    )


def check_tokens(source: str, origin: list[int], grammar: Grammar) -> None:
    """Raises Problem for what is not a number, a known name or a sign, and for brackets nested too deeply for `ast`."""
    at = depth = 0
    while source[at:].strip():
        token = TOKEN.match(source, at)
        if not token:
            at += len(source[at:]) - len(source[at:].lstrip())
            char = printable(source[at])
            en, zh = f"“{char}” at character {{}} cannot stand in a formula.", f"第 {{}} 个字符“{char}”不能用在公式里。"
            raise problem_at(grammar, origin, at, en, zh)
        name, sign = token["name"], token["sign"]
        start = token.start(token.lastgroup or 0)
        if sign == "," and not grammar.pairs:
            en, zh = "“,” at character {} cannot stand in a formula.", "第 {} 个字符“,”不能用在公式里。"
            raise problem_at(grammar, origin, start, en, zh)
        if name and name not in grammar.names:
            word = printable(name)
            en, zh = f"“{word}” at character {{}} is not known here.", f"第 {{}} 个字符处的“{word}”不认识。"
            raise problem_at(grammar, origin, start, en, zh)
        depth += {"(": 1, ")": -1}.get(sign or "", 0)
        if depth > DEEPEST:
            raise problem_at(
                grammar,
                origin,
                start,
                f"The brackets nest more than {DEEPEST} deep at character {{}}. Split or simplify the formula.",
                f"括号在第 {{}} 个字符处嵌套超过 {DEEPEST} 层，请拆开或化简。",
            )
        at = token.end()


def printable(text: str) -> str:
    """At most 20 characters of `text`, with "?" for what cannot be printed and braces doubled for str.format."""
    cut = "".join(char if char.isprintable() else "?" for char in text[:20]) + ("…" if len(text) > 20 else "")
    return cut.replace("{", "{{").replace("}", "}}")


class TreeBuilder:
    """Turns Python's syntax tree into a Tree, counts nodes, and computes parts without variables."""

    def __init__(self, origin: list[int], grammar: Grammar) -> None:
        self.origin = origin
        self.grammar = grammar
        self.nodes = 0

    def problem(self, node: ast.AST, en: str, zh: str) -> Problem:
        return problem_at(self.grammar, self.origin, getattr(node, "col_offset", 0), en, zh)

    def build(self, node: ast.expr, depth: int) -> Tree:
        """The tree of `node`, which is `depth` operations below the root. Raises Problem."""
        self.nodes += 1
        if depth > DEEPEST_TREE:
            raise self.problem(
                node,
                f"The formula nests more than {DEEPEST_TREE} operations deep at character {{}}. Simplify it.",
                f"公式在第 {{}} 个字符处的运算嵌套超过 {DEEPEST_TREE} 层，请化简。",
            )
        if self.nodes > NODES:
            raise self.problem(
                node,
                f"The formula has more than {NODES} parts, counted up to character {{}}. Simplify it.",
                f"数到第 {{}} 个字符，公式已超过 {NODES} 个部分，请化简。",
            )
        match node:
            case ast.Constant(value=int() | float() as value):
                return self.number(node, value)
            case ast.Name(id=name) if name in self.grammar.variables:
                return ("name", name)
            case ast.Name(id=name) if name in CONSTANTS:
                return ("number", CONSTANTS[name])
            case ast.Name(id=name):
                raise self.problem(
                    node,
                    f"“{name}” at character {{}} needs its value in brackets: {name}(x).",
                    f"第 {{}} 个字符处的“{name}”后面要有括号：{name}(x)。",
                )
            case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=operand):
                inner = self.build(operand, depth + 1)
                if isinstance(sign, ast.UAdd):
                    return inner
                return ("number", -inner[1]) if inner[0] == "number" else ("minus", inner)
            case ast.BinOp(op=op, left=left, right=right) if type(op) in OPERATIONS:
                return self.binary(node, type(op), self.build(left, depth + 1), self.build(right, depth + 1), right)
            case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if name in self.grammar.functions:
                return self.call(node, name, self.build(argument, depth + 1))
            case ast.Call(func=ast.Name(id=name), args=[left, right], keywords=[]) if name in self.grammar.pairs:
                return ("call", name, self.build(left, depth + 1), self.build(right, depth + 1))
            case ast.Call(func=ast.Name(id=name)) if name in self.grammar.pairs:
                raise self.problem(
                    node,
                    f"“{name}” at character {{}} takes exactly two values: {name}(…, …).",
                    f"第 {{}} 个字符处的“{name}”需要两个值：{name}(…, …)。",
                )
            case ast.Call(func=ast.Name(id=name)) if name in self.grammar.functions:
                raise self.problem(
                    node,
                    f"“{name}” at character {{}} takes exactly one value: {name}(x).",
                    f"第 {{}} 个字符处的“{name}”只接受一个值：{name}(x)。",
                )
        en, zh = "What stands at character {} cannot stand in a formula.", "第 {} 个字符处的写法不能用在公式里。"
        raise self.problem(node, en, zh)

    def number(self, node: ast.AST, typed: int | float) -> Tree:
        try:
            value = float(typed)
        except OverflowError:
            value = math.inf
        if value > LARGEST:
            raise self.problem(
                node,
                f"The number at character {{}} is larger than {LARGEST:g}, the most that is allowed.",
                f"第 {{}} 个字符处的数超过了上限 {LARGEST:g}。",
            )
        return ("number", value)

    def binary(self, node: ast.AST, op: type[ast.AST], left: Tree, right: Tree, right_node: ast.expr) -> Tree:
        if op is ast.Div and right == ("number", 0.0):
            raise self.problem(
                right_node,
                "The formula divides by zero at character {}. Divide by something that is not zero.",
                "公式在第 {} 个字符处除以了零，请换一个不为零的除数。",
            )
        if op is ast.Pow and right[0] == "number" and abs(right[1]) > EXPONENT:
            raise self.problem(
                right_node,
                f"The exponent at character {{}} comes to {right[1]:.4g}; exponents go from -{EXPONENT} to {EXPONENT}.",
                f"第 {{}} 个字符处的指数等于 {right[1]:.4g}，指数只能在 -{EXPONENT} 到 {EXPONENT} 之间。",
            )
        if left[0] == right[0] == "number":
            return self.constant(node, OPERATIONS[op], left[1], right[1])
        return ("do", OPERATIONS[op], left, right)

    def call(self, node: ast.AST, name: str, value: Tree) -> Tree:
        if value[0] == "number" and name in FUNCTIONS:
            function: Callable[..., Any] = abs if name == "abs" else getattr(math, name)
            return self.constant(node, function, value[1])
        return ("call", name, value)

    def constant(self, node: ast.AST, function: Callable[..., Any], *values: float) -> Tree:
        """The number that a part without variables comes to. Raises Problem if it is not finite."""
        try:
            value = function(*values)
        except (ArithmeticError, ValueError):
            value = math.nan
        if isinstance(value, complex) or not math.isfinite(value):
            raise self.problem(
                node,
                "The part at character {} has no finite value: it divides by zero, overflows, or takes the root or "
                "logarithm of a number that has none.",
                "第 {} 个字符处的部分没有有限的值：除以了零、溢出，或对不允许的数开方、取对数。",
            )
        return ("number", float(value))
