"""Settings are checked once, at the door: named with their bounds, never clamped in silence."""

from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import params
from engine.controls import (
    Autorun,
    Choice,
    Hidden,
    Live,
    MultiChoice,
    NamedNumbers,
    Number,
    OnBoard,
    Picture,
    Slider,
    Text,
    Toggle,
    ViewOnly,
    When,
)
from engine.params import int_arg, parse, parse_lenient
from engine.types import Job, Problem


class Params(params.Params):
    lr: Annotated[float, Slider(0.001, 4.0, log=True), Live()] = 0.05
    steps: Annotated[int, Slider(1, 10)] = 3
    racers: Annotated[tuple[str, ...], MultiChoice(("sgd", "adam"))] = ("sgd",)
    surface: Annotated[str, Choice(("bowl", "saddle"))] = "bowl"
    formula: Annotated[str, Text(20)] = "x"
    log: Annotated[bool, Toggle()] = False
    seed: Annotated[int, Number(0, 2**31 - 1)] = 0
    picture: Annotated[str, Picture(), ViewOnly()] = ""


def test_a_link_is_read_into_settings_and_back() -> None:
    got = parse(Params, {"lr": "0.1", "racers": "sgd,adam", "log": "1", "steps": "7"})
    assert got.changed() == {"lr": 0.1, "racers": ("sgd", "adam"), "log": True, "steps": 7}
    assert Params().changed() == {}


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"lr": "9"}, ["lr", "9", "0.001", "4"]),
        ({"lr": "nan"}, ["lr", "nan", "finite"]),
        ({"lr": "fast"}, ["lr", "fast", "0.001 to 4"]),
        ({"steps": "2.5"}, ["steps", "2.5", "whole", "1 to 10"]),
        ({"racers": "sgd,lion"}, ["racers", "lion", "sgd, adam"]),
        ({"racers": ""}, ["racers", "at least 1"]),
        ({"racers": "sgd,sgd"}, ["racers", "each once"]),
        ({"surface": "cone"}, ["surface", "cone", "bowl, saddle"]),
        ({"formula": "x" * 21}, ["formula", "21", "20"]),
        ({"picture": "abc"}, ["picture", "abc", "Upload"]),
        ({"nonsense": "1"}, ["nonsense", "lr"]),
        ({"seed": "-1"}, ["seed", "-1", "0 to 2147483647"]),
    ],
)
def test_a_wrong_value_is_named_with_its_bounds(values: dict[str, str], named: list[str]) -> None:
    with pytest.raises(Problem) as caught:
        parse(Params, values)
    for word in named:
        assert word in caught.value.en
    assert caught.value.zh
    assert caught.value.zh != caught.value.en
    kept, problems = parse_lenient(Params, {**values, "log": "1"})
    assert len(problems) == 1
    assert kept.changed() == {"log": True}


@given(st.dictionaries(st.sampled_from([*Params.model_fields, "other"]), st.text(max_size=30)))
def test_any_link_gives_settings_and_problems_never_a_crash(values: dict[str, str]) -> None:
    kept, problems = parse_lenient(Params, values)
    assert parse(Params, kept.model_dump()) == kept
    assert all(problem.en and problem.zh for problem in problems)


def test_equal_jobs_share_a_key_whatever_the_order() -> None:
    one = Job("a.b.compute:run", {"x": 1, "y": (1, 2)})
    assert one.key() == Job("a.b.compute:run", {"y": [1, 2], "x": 1}).key()
    assert one.key() != Job("a.b.compute:run", {"x": 1, "y": [1, 2]}, seed=1).key()
    assert one.lesson == "b"


@pytest.mark.parametrize(("value", "read"), [(0, 0), (7, 7), (3.0, 3)])
def test_a_browsers_whole_number(value: float, read: int) -> None:
    found = int_arg({"at": value}, "at", 0, 7)
    assert (found, type(found)) == (read, int)


@pytest.mark.parametrize("value", [8, -1, 2.5, True, "3", None, float("nan"), float("inf"), 10**400, [1], {}])
def test_what_is_no_whole_number_is_named_with_its_bounds(value: object) -> None:
    with pytest.raises(Problem, match=r"^at = .* is not a whole number from 0 to 7"):
        int_arg({"at": value}, "at", 0, 7)


def test_a_whole_number_that_is_not_there_is_the_default() -> None:
    assert int_arg({}, "at", 2, 7) == 2
    assert int_arg({}, "at", 2, 7, 5) == 5


def test_one_text_at_most_stands_on_the_board_of_a_lesson() -> None:
    from lessons import catalog

    for lesson in catalog.lessons():
        boxes = [setting for setting in catalog.params(lesson.name).settings().values() if setting.on_board]
        assert len(boxes) <= 1
        assert all(isinstance(setting.control, Text) for setting in boxes)


def test_the_marks_beside_a_control_are_the_settings_flags() -> None:
    class Marked(params.Params):
        a: Annotated[float, Slider(0, 1), Live(), When(b=("x",))] = 0.0
        b: Annotated[str, Text(5), Autorun(), OnBoard()] = "x"
        c: Annotated[int, Number(0, 9), ViewOnly(), Hidden()] = 0

    a, b, c = Marked.settings().values()
    assert (a.name, a.control, a.live, a.when) == ("a", Slider(0, 1), True, {"b": ("x",)})
    assert (b.autorun, b.on_board, b.live, b.when) == (True, True, False, {})
    assert (c.view_only, c.hidden, c.autorun) == (True, True, False)
    assert [a.applies(Marked(b=text)) for text in ("x", "y")] == [True, False]
    assert dict(Marked.controls()) == {"a": Slider(0, 1), "b": Text(5), "c": Number(0, 9)}


def test_numbers_by_name_are_read_in_one_form_and_set_one_at_a_time() -> None:
    control = NamedNumbers(-10, 10, most=3)
    assert control.read("edits", " a = 2；b：−1.50, c=1e-3\n") == "a=2, b=-1.5, c=0.001"
    assert control.numbers("edits", "a=2, a=3") == {"a": 3.0}
    assert control.read("edits", "") == ""
    assert control.put("a=2, b=3", "b=5") == "a=2, b=5"
    assert control.put("a=2, b=3", "a=") == "b=3"
    assert control.put("", "c=1") == "c=1"
    for wrong in ("a", "a=x", "a=11", "a=nan", "a=inf", "1=2"):
        with pytest.raises(Problem, match="is not a name and its number, from -10 to 10"):
            control.read("edits", wrong)
    with pytest.raises(Problem, match="at most 3"):
        control.read("edits", "a=1,b=1,c=1,d=1")
