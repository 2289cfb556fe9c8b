"""The formula parser: every text is a Formula or a Problem, and numpy and torch agree on what it means."""

import ast
import contextlib
import math
import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.types import Problem
from lessons.formula import DEEPEST, FUNCTIONS, LONGEST, NAMES, Formula, Grammar, evaluate, parse


def at(formula: Formula, x: float, y: float) -> float:
    with np.errstate(all="ignore"):
        return float(formula(np.float64(x), np.float64(y), np))


@pytest.mark.parametrize(
    ("text", "x", "y", "value"),
    [
        ("x**2 + 3*y**2", 2.0, 1.0, 7.0),
        ("x^2", 3.0, 0.0, 9.0),
        ("（x＋1）²", 2.0, 0.0, 9.0),
        ("-x**2", 3.0, 0.0, -9.0),
        ("2**-x", 1.0, 0.0, 0.5),
        ("π*x·y − 2÷4", 1.0, 2.0, 2 * math.pi - 0.5),
        ("x**2**3", 2.0, 0.0, 256.0),
        ("--x", 2.0, 0.0, 2.0),
        ("sin(pi/2) + abs(-3)", 0.0, 0.0, 4.0),
        (" x \n + y ", 1.0, 2.0, 3.0),
        ("log(e)*.5e1", 0.0, 0.0, 5.0),
        ("1000000*x", 1.0, 0.0, 1e6),
    ],
)
def test_meaning(text: str, x: float, y: float, value: float) -> None:
    assert at(parse(text), x, y) == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("2x", "2*x"),
        ("2(x+1)", "2*(x+1)"),
        ("2 x y", "2*x*y"),
        ("x(y + 1)(y - 1)", "x*(y + 1)*(y - 1)"),
        ("2sin(x)cos(y)", "2*sin(x)*cos(y)"),
        ("1e3x", "1e3*x"),
        ("ln(x)", "log(x)"),
        ("Ln(X)", "log(x)"),
        ("√x", "sqrt(x)"),
        ("2√(x)", "2*sqrt(x)"),
        ("|x|", "abs(x)"),
        ("2|x| - |x - |y||", "2*abs(x) - abs(x - abs(y))"),
        ("sin x + cos y", "sin(x) + cos(y)"),
        ("SIN(X)", "sin(x)"),
        ("x ⋅ y ∗ 2 • y", "x * y * 2 * y"),
        ("x⁴ + y¹⁰", "x**4 + y**10"),
        ("2πx", "2*pi*x"),
        ("xπ - π*y", "x*pi - pi*y"),
        ("x**2/4 + y**2 + sin(3*x)*cos(3*y)", "x**2/4 + y**2 + sin(3*x)*cos(3*y)"),
    ],
)
def test_what_is_left_out_where_there_is_one_meaning_is_written_out(typed: str, read: str) -> None:
    assert parse(typed).text == read
    assert parse(read).text == read


@pytest.mark.parametrize(
    ("text", "place", "word"),
    [
        ("", None, "empty"),
        ("  ", None, "empty"),
        ("9**9**9", 4, "exponent"),
        ("x**(9**9)", 5, "exponent"),
        ("x**17", 4, "exponent"),
        ("1/0", 3, "zero"),
        ("x/(1-1)", 4, "zero"),
        ("0**-1", 1, "finite"),
        ("log(-1)", 1, "finite"),
        ("sqrt(0-4)", 1, "finite"),
        ("(-8)**0.5", 1, "finite"),
        ("exp(1000)", 1, "finite"),
        ("__import__('os').system('ls')", 1, "__import__"),
        ("x + open(y)", 5, "open"),
        ("x.__class__", 2, "“.”"),
        ("lambda: x", 1, "lambda"),
        ("[x for x in y]", 1, "“[”"),
        ("x if y else 1", 3, "“if”"),
        ("x; y", 2, "“;”"),
        ("x = 1", 3, "“=”"),
        ("x'", 2, "“'”"),
        ("x{}", 2, "“{”"),
        ("x\x00y", 2, "cannot stand"),
        ("sin", 1, "sin(x)"),
        ("sin*2", 1, "sin(x)"),
        ("sin()", 1, "exactly one"),
        ("sin x**2", 5, "missing"),
        ("sin 2x", 5, "missing"),
        ("xy", 1, "“xy”"),
        ("|x", 1, "“|”"),
        ("max(x, y)", 1, "“max”"),
        ("x 2", 3, "missing"),
        ("x +", 3, "missing"),
        ("(x", 1, "missing"),
        ("x)", 2, "missing"),
        ("1000001", 1, "larger"),
        ("1e999", 1, "larger"),
        ("9" * 199, 1, "larger"),
        ("x²³", 2, "exponent"),
        ("变量", 1, "变量"),
        ("(" * 90 + "x" + ")" * 90, DEEPEST + 1, "nest"),
        ("-" * 150 + "x", None, "nest"),
        ("x" + "+x" * 60, None, "nest"),
        ("(" * 1000 + "x" + ")" * 1000, None, str(LONGEST)),
        ("-" * 100_000 + "x", None, str(LONGEST)),
    ],
)
def test_refusals_say_what_and_where_in_both_languages(text: str, place: int | None, word: str) -> None:
    start = time.thread_time()
    with pytest.raises(Problem) as raised:
        parse(text)
    assert time.thread_time() - start < 0.5
    assert word in raised.value.en
    if place is not None:
        assert f"character {place}" in raised.value.en
        assert f"第 {place} 个字符" in raised.value.zh
    if "character" in raised.value.en and "fit" not in raised.value.en:
        assert "You may use x, y" in raised.value.en
        assert "可以使用" in raised.value.zh
    assert "{" not in raised.value.zh.replace("“{”", "")


@settings(max_examples=400, deadline=None)
@given(st.text(max_size=LONGEST + 20))
def test_any_text_is_a_formula_or_a_problem(text: str) -> None:
    with contextlib.suppress(Problem):
        assert isinstance(parse(text), Formula)


PIECES = [*NAMES, *"+-*/()^. ", "**", "1", "2.5", "1e3", "0", "9", "sin(", "²", "（"]


@settings(max_examples=600, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=60).map("".join))
def test_near_formulas_are_formulas_or_problems(text: str) -> None:
    try:
        formula = parse(text)
    except Problem:
        return
    ast.parse(formula.text, mode="eval")  # safe to put into a program
    assert parse(formula.text).tree == formula.tree


leaves = st.sampled_from(["x", "y", "pi", "e", "2", "0.5", "3"])
formulas = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        st.tuples(st.sampled_from(FUNCTIONS), inner).map(lambda t: f"{t[0]}({t[1]})"),
        st.tuples(inner, st.sampled_from(["2", "3", "-1", "0.5"])).map(lambda t: f"({t[0]})**{t[1]}"),
        inner.map(lambda t: f"-({t})"),
    ),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(formulas, st.floats(-3, 3), st.floats(-3, 3))
def test_numpy_torch_and_python_agree(text: str, x: float, y: float) -> None:
    try:
        formula = parse(text)
    except Problem:
        return
    with np.errstate(all="ignore"):
        mine = formula(np.array([x, x]), np.array([y, y]), np)
    theirs = formula(torch.tensor([x, x], dtype=torch.float64), torch.tensor([y, y], dtype=torch.float64), torch)
    mine, theirs = np.broadcast_to(mine, (2,)), np.broadcast_to(np.asarray(theirs), (2,))
    np.testing.assert_allclose(mine, theirs, rtol=1e-6, atol=1e-9)
    try:  # a third opinion: Python's own arithmetic on the text as it stands
        names = {name: getattr(math, name, abs) for name in FUNCTIONS}
        python = eval(text, {"__builtins__": {}}, {**names, "x": x, "y": y, "pi": math.pi, "e": math.e})
    except (ArithmeticError, ValueError, TypeError):
        return
    if not isinstance(python, complex) and np.isfinite(mine).all():
        assert mine[0] == pytest.approx(python, rel=1e-6, abs=1e-9)


def test_gradient_through_a_formula() -> None:
    """d/dx of x² sin(y) is 2x sin(y), d/dy is x² cos(y)."""
    x, y = (torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in (1.3, 0.4))
    parse("x^2*sin(y)")(x, y, torch).backward()
    assert x.grad is not None
    assert y.grad is not None
    assert float(x.grad) == pytest.approx(2 * 1.3 * math.sin(0.4), rel=1e-15)
    assert float(y.grad) == pytest.approx(1.3**2 * math.cos(0.4), rel=1e-15)


def test_what_is_made_finite_stays_bounded() -> None:
    """The largest towers that pass take no time and give inf, not an exception."""
    for text in ("x**x**x**x**x", "exp(exp(exp(exp(x))))", "((x**16)**16)**16", "2**2**x**x"):
        start = time.thread_time()
        assert at(parse(text), 5.0, 0.0) == math.inf
        assert time.thread_time() - start < 0.1


def test_another_grammar_has_its_own_names_and_functions_of_two_values() -> None:
    grammar = Grammar(frozenset("abc"), ("sin",), ("maximum",), "L", "a, b, c", "a、b、c", "in a", "含 a 的公式")
    tree = parse("maximum(a, b) * sin(c) - 2", grammar).tree
    assert evaluate(tree, {"a": 3.0, "b": 4.0, "c": 0.5}, np) == pytest.approx(4 * math.sin(0.5) - 2)
    for text, words in [
        ("x", "not known"),
        ("maximum(a)", "exactly two"),
        ("a, b", "cannot stand"),
        ("cos(a)", "known"),
    ]:
        with pytest.raises(Problem, match=words) as caught:
            parse(text, grammar)
        assert caught.value.en.startswith("L: ")
        assert "You may use a, b, c, pi, e, numbers, + - * / ** ( ) , and sin, maximum." in caught.value.en
    with pytest.raises(Problem, match="“,” at character 2"):
        parse("x,y")
