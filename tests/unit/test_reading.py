"""Text readings: what each part of a template becomes."""

from __future__ import annotations

import math

import pytest

from lessons.board.readings import History, number, parts, reading

FALL: History = [(step, {"loss": 0.03 + 0.66 * 0.5**step, "b.one": 3.0 - step, "b.two": 1.0}) for step in range(12)]


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{first:loss} to {now:loss}", "0.69 to 0.0303"),
        ("step {step}, {now:loss|1}", "step 11, 0.03"),
        ("{now:loss|%}", "3.0 %"),
        ("flat since {flat:loss}", "flat since 6"),
        ("{min:loss|5} at {at_min:loss}, from {max:loss}", "0.030322 at 11, from 0.69"),
        ("{best:b.} leads", "First leads"),
        ("{best:b.} at {lowest:b.}", "First at −8"),
        ("{say:right} right", "7 right"),
        ("{now:nothing}", ""),
        ("{now:nothing} || {step}", "11"),
        ("[nothing] a || [loss] b || c", "b"),
        ("[b.one] {now:missing} || last", "last"),
    ],
)
def test_parts(template: str, said: str) -> None:
    assert reading(template, FALL, {"right": 7}, {"one": "First"}) == said


def test_flat_is_missing_while_it_falls() -> None:
    assert reading("{flat:loss} || still falling", FALL[:3]) == "still falling"


def test_flat_is_missing_where_nothing_ever_moved() -> None:
    assert reading("{flat:loss} || never moved", [(0, {"loss": 1.0}), (1, {"loss": 1.0})]) == "never moved"


def test_before_the_first_step_only_a_plain_sentence_holds() -> None:
    assert reading("{step} || [x] b || ready", []) == "ready"


def test_not_finite_values_are_said_and_never_the_best() -> None:
    history: History = [(0, {"h.a": 1.0, "h.b": 2.0}), (1, {"h.a": math.nan, "h.b": 5.0})]
    assert reading("{now:h.a}; {best:h.}; {lowest:h.}; {max:h.a}", history) == "NaN; b; 5; 1"
    assert reading("[h.a] gone", history) == "gone"


@pytest.mark.parametrize(
    ("value", "form", "said"),
    [
        (0.0, "", "0"),
        (-0.0, "", "0"),
        (0.69314, "", "0.693"),
        (0.70001, "", "0.7"),
        (12.0, "", "12"),
        (1234.5678, "", "1230"),
        (1234.5678, "6", "1234.57"),
        (999_999.0, "", "1×10⁶"),
        (999_999.0, "6", "999999"),
        (1.5e7, "", "1.5×10⁷"),
        (0.000012345, "", "1.23×10⁻⁵"),
        (-0.05, "1", "−0.05"),
        (0.98765, "%", "98.8 %"),
        (math.inf, "", "∞"),
        (-math.inf, "%", "−∞"),
        (41.6, "0", "42"),
    ],
)
def test_number(value: float, form: str, said: str) -> None:
    assert number(value, form) == said


def test_parts_are_listed_for_those_who_check_templates() -> None:
    assert parts("[diverged] {now:loss|2} || {step}") == [
        ("if", "diverged", ""),
        ("now", "loss", "2"),
        ("step", "", ""),
    ]
