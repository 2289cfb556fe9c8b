"""The limits that a teacher may set in one line."""

import pytest

from engine.limits import Limits


def test_what_is_named_changes_and_the_rest_stays() -> None:
    found = Limits.parse("runs=4, seconds=600")
    assert (found.runs, found.seconds) == (4, 600)
    assert found.steps == Limits().steps
    assert Limits.parse("") == Limits()


@pytest.mark.parametrize("text", ["runs", "runs=0", "runs=-1", "runs=many", "speed=3", "runs=4;seconds=2"])
def test_a_wrong_line_says_what_may_stand_there(text: str) -> None:
    with pytest.raises(ValueError, match="names active, waiting, runs, steps, seconds, memory"):
        Limits.parse(text)
