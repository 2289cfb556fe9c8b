"""The form of a lesson's Markdown, and what happens to a file that does not have it."""

from __future__ import annotations

import re

import pytest

from lessons import text
from lessons.board import readings

LESSON = """# Gradient descent
You will be able to
choose a step.

## Try it
- Go too far. `?lr=0.3&surface=bowl`
- Type $x^2 + y^2$ yourself,
  on two lines. `?formula=x**2 + y**2&surface=formula`

## Predict
### What happens at $lr = 2/L$?
- [ ] It stops
- [x] It swings
  for ever
- [ ] It grows
> Each step lands
> on the other side.
>
> Exactly.
`?lr=1`

## Why it works
First words.

### A heading
Body with `code` and

```python
## not a heading
### nor this
```
### + Folded
More.

## Worked example
Numbers.

## Controls
- lr: Learning rate | how far a step goes:
  twice as far, twice the risk
- surface: Surface
  - bowl: Bowl
  - saddle: Saddle: up and down
- preset.default: As it is

## Figures
### contour
- title: Who gets down?
- caption: Each path is one optimiser.
- alt: A map
- x: first coordinate
- reading: Step {step}: {now:loss|2}. || Nothing yet.

## Quiz
### One?
- [x] yes
- [ ] no
> Because.

## Terms
- gradient: the direction of steepest ascent

## Read on
- [Cauchy 1847](https://example.org)
"""


def test_every_part_is_read() -> None:
    words = text.parse(LESSON, "en")
    assert words.title == "Gradient descent"
    assert words.lead == "You will be able to choose a step."
    assert words.tries[0] == text.Try("Go too far.", {"lr": "0.3", "surface": "bowl"})
    assert words.tries[1].text == "Type $x^2 + y^2$ yourself, on two lines."
    assert words.tries[1].settings == {"formula": "x**2 + y**2", "surface": "formula"}
    (question,) = words.predict
    assert question.ask == "What happens at $lr = 2/L$?"
    assert question.options == ("It stops", "It swings for ever", "It grows")
    assert question.right == 1
    assert question.why == "Each step lands on the other side.\n\nExactly."
    assert question.settings == {"lr": "1"}
    assert [(block.heading, block.folded) for block in words.why] == [
        ("", False), ("A heading", False), ("Folded", True),
    ]  # fmt: skip
    assert "## not a heading\n### nor this" in words.why[1].body
    assert words.example[0].body == "Numbers."
    assert words.controls["lr"] == text.ControlWords(
        "Learning rate", "how far a step goes: twice as far, twice the risk"
    )
    assert words.controls["surface"].options == {"bowl": "Bowl", "saddle": "Saddle: up and down"}
    assert words.presets == {"default": "As it is"}
    figure = words.figures["contour"]
    assert (figure.title, figure.alt, figure.labels) == ("Who gets down?", "A map", {"x": "first coordinate"})
    assert figure.reading == "Step {step}: {now:loss|2}. || Nothing yet."
    assert words.quiz[0].right == 0
    assert words.terms == {"gradient": "the direction of steepest ascent"}
    assert words.read_on == ("[Cauchy 1847](https://example.org)",)


def test_chinese_headings_colons_and_wrapped_lines() -> None:
    source = LESSON
    for english, chinese in zip(text.SECTIONS["en"], text.SECTIONS["zh"], strict=True):
        source = source.replace(f"\n## {english}\n", f"\n## {chinese}\n")
    source = source.replace("- gradient: the direction", "- 梯度\uff1a方向").replace(
        "You will be able to\nchoose a step.", "你能\n选对步长。"
    )
    words = text.parse(source, "zh")
    assert words.terms == {"梯度": "方向 of steepest ascent"}
    assert words.lead == "你能选对步长。"  # no space where a Chinese line was wrapped


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("## Quiz", "## Exam", "line 54: heading 'Exam'"),
        ("## Quiz", "## Predict", "line 54: heading 'Predict'"),
        ("- [x] yes", "- [ ] yes", "line 55: a question has two options or more, one of them right"),
        ("- alt: A map\n", "", "figure contour needs at least a title and an alt"),
        (" `?lr=0.3&surface=bowl`", "", "a thing to try ends with its settings"),
        ("- gradient: the", "gradient: the", "expected a point '- …'"),
        ("# Gradient descent\n", "", "one line must be the title"),
        (
            "- preset.default: As it is",
            "- preset.default: As it is\n- preset.default: Again",
            "'default' is there twice",
        ),
        ("- alt: A map", "- alt: A map\n- alt: Another", "'alt' is there twice"),
        ("- gradient: the", "- gradient: a slope\n- gradient: the", "'gradient' is there twice"),
        ("## Quiz", "### contour\n- title: Again\n- alt: Again\n## Quiz", "'contour' is there twice"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(old: str, new: str, what: str) -> None:
    with pytest.raises(ValueError, match="lesson, line") as error:
        text.parse(LESSON.replace(old, new, 1), "en")
    assert what in str(error.value)


def test_a_missing_section_is_named() -> None:
    with pytest.raises(ValueError, match="they must be Try it, Predict"):
        text.parse(LESSON[: LESSON.index("## Terms")], "en")


def test_the_guide_for_writers_names_every_section_and_every_part_of_a_reading() -> None:
    guide = (text.FOLDER / "WRITING.md").read_text("utf-8")
    for titles in zip(*text.SECTIONS.values(), strict=True):
        assert re.search(rf"## {titles[0]}\s+## {titles[1]}\n", guide), titles
    for word in ("step", "say", "best", "lowest", *readings.WORDS):
        assert re.search(rf"`\{{{word}[:}}]", guide), word
