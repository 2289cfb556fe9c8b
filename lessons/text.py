"""A lesson's en.md or zh.md as dataclasses. The form of the file is described in lessons/WRITING.md.

Errors name the file and the line: they are for whoever writes a lesson, and the tests meet them before a learner does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from urllib.parse import parse_qsl

FOLDER = Path(__file__).parent

SECTIONS = {
    "en": ("Try it", "Predict", "Why it works", "Worked example", "Controls", "Figures", "Quiz", "Terms", "Read on"),
    "zh": ("动手试试", "先猜再看", "为什么", "算一遍", "设置", "图", "小测验", "术语", "延伸阅读"),
}
SETTINGS = re.compile(r"\s*`\?([^`]*)`[.。]?$")
FIGURE_KEYS = ("title", "caption", "alt", "reading")


@dataclass(frozen=True, slots=True)
class Try:
    """One thing to try, and the settings that one click makes, as they would stand in a link."""

    text: str
    settings: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Question:
    """A question with its options, the index of the right one, and why. `settings` make the run that answers it."""

    ask: str
    options: tuple[str, ...]
    right: int
    why: str
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Block:
    """A heading ("" at the start of a section) and its Markdown; `folded` ones open on a click."""

    heading: str
    body: str
    folded: bool = False


@dataclass(frozen=True, slots=True)
class ControlWords:
    label: str
    help: str = ""
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FigureWords:
    """What a figure says: `labels` are its axis names and any other words `figures.draw` asks for."""

    title: str
    caption: str
    alt: str
    reading: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Words:
    """A lesson in one language."""

    language: str
    title: str
    lead: str
    tries: tuple[Try, ...]
    predict: tuple[Question, ...]
    why: tuple[Block, ...]
    example: tuple[Block, ...]
    controls: Mapping[str, ControlWords]
    presets: Mapping[str, str]
    figures: Mapping[str, FigureWords]
    quiz: tuple[Question, ...]
    terms: Mapping[str, str]
    read_on: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Line:
    number: int
    text: str


def read(lesson: str, language: str) -> Words:
    """The words of a lesson, parsed once and again only when the file has changed."""
    path = FOLDER / lesson / f"{language}.md"
    return _read(path, language, path.stat().st_mtime_ns)


def changed(lesson: str, language: str) -> int:
    """When the words of a lesson were last changed, in nanoseconds."""
    return (FOLDER / lesson / f"{language}.md").stat().st_mtime_ns


@lru_cache(maxsize=64)
def _read(path: Path, language: str, _changed: int) -> Words:
    return parse(path.read_text(encoding="utf-8"), language, f"{path.parent.name}/{path.name}")


def parse(source: str, language: str, name: str = "lesson") -> Words:
    """The parts of a lesson's Markdown. Raises ValueError with the line that does not have the form it needs."""
    head: list[Line] = []
    sections: dict[str, list[Line]] = {}
    current = head
    fenced = False
    for number, text in enumerate(source.splitlines(), 1):
        fenced ^= text.startswith("```")
        if text.startswith("## ") and not fenced:
            title = text[3:].strip()
            if title not in SECTIONS[language] or title in sections:
                raise wrong(name, number, f"heading {title!r} is not one of {', '.join(SECTIONS[language])}, each once")
            current = sections[title] = []
        else:
            current.append(Line(number, text.rstrip()))
    order = tuple(title for title in SECTIONS[language])
    if tuple(sections) != order:
        raise wrong(name, 1, f"the headings are {', '.join(sections)}; they must be {', '.join(order)}")
    tries, predict, why, example, controls, figures, quiz, terms, read_on = (sections[title] for title in order)
    titles = [line for line in head if line.text.startswith("# ")]
    if len(titles) != 1:
        raise wrong(name, 1, "one line must be the title: # Title")
    lead = ""
    for line in head:
        if line.text and line is not titles[0]:
            lead = joined(lead, line.text)
    settings, presets = _controls(controls, name)
    return Words(
        language=language,
        title=titles[0].text[2:].strip(),
        lead=re.sub(r"^(Lead|导语)[:：]\s*", "", lead),
        tries=tuple(_try(line, name) for line in items(tries, name)),
        predict=_questions(predict, name),
        why=_blocks(why),
        example=_blocks(example),
        controls=settings,
        presets=presets,
        figures=_figures(figures, name),
        quiz=_questions(quiz, name),
        terms=pairs(terms, name),
        read_on=tuple(line.text for line in items(read_on, name)),
    )


def wrong(name: str, number: int, message: str) -> ValueError:
    return ValueError(f"{name}, line {number}: {message}")


def joined(first: str, second: str) -> str:
    """Two lines of one paragraph: a space between Latin words, none between Chinese characters."""
    if not first or not second:
        return first + second
    tight = all(ord(char) > 0x2E80 for char in (first[-1], second.lstrip()[0]))
    return first + ("" if tight else " ") + second.strip()


def items(lines: list[Line], name: str) -> list[Line]:
    """The points of a list, each with the indented lines that go on with it."""
    points: list[Line] = []
    for line in lines:
        if line.text.startswith("- "):
            points.append(Line(line.number, line.text[2:].strip()))
        elif line.text.startswith("  ") and points and line.text.strip():
            points[-1] = Line(points[-1].number, joined(points[-1].text, line.text.strip()))
        elif line.text.strip():
            raise wrong(name, line.number, f"expected a point '- …', found {line.text!r:.60}")
    return points


def pair(line: Line, name: str) -> tuple[str, str]:
    """ "lr: Learning rate" as its two sides; a full-width colon does as well."""
    sides = re.match(r"([^:：]+)[:：]\s*(.*)$", line.text, re.DOTALL)
    if not sides:
        raise wrong(name, line.number, f"expected 'key: text', found {line.text!r:.60}")
    return sides[1].strip(), sides[2].strip()


def pairs(lines: list[Line], name: str) -> dict[str, str]:
    """A list of "key: text", each key once."""
    texts: dict[str, str] = {}
    for line in items(lines, name):
        key, text = pair(line, name)
        check_new(key, texts, line, name)
        texts[key] = text
    return texts


def check_new(key: str, known: Mapping[str, object], line: Line, name: str) -> None:
    """Raises ValueError where a key comes twice: the words before would be lost in silence."""
    if key in known:
        raise wrong(name, line.number, f"{key!r} is there twice")


def settings(query: str) -> dict[str, str]:
    """ "surface=saddle&lr=0.1" as a dictionary; a plus sign is a plus sign, as formulas need it."""
    return dict(parse_qsl(query.replace("+", "%2B"), keep_blank_values=True))


def _try(line: Line, name: str) -> Try:
    link = SETTINGS.search(line.text)
    if not link:
        raise wrong(name, line.number, "a thing to try ends with its settings: `?name=value&…`")
    return Try(line.text[: link.start()].strip(), settings(link[1]))


def _headed(lines: list[Line]) -> list[tuple[Line, list[Line]]]:
    """The parts under each ### heading; what stands before the first has an empty heading."""
    parts: list[tuple[Line, list[Line]]] = [(Line(0, ""), [])]
    fenced = False
    for line in lines:
        fenced ^= line.text.startswith("```")
        if line.text.startswith("### ") and not fenced:
            parts.append((Line(line.number, line.text[4:].strip()), []))
        else:
            parts[-1][1].append(line)
    return parts


def _blocks(lines: list[Line]) -> tuple[Block, ...]:
    blocks = []
    for head, body in _headed(lines):
        text = "\n".join(line.text for line in body).strip()
        if head.text or text:
            blocks.append(Block(head.text.removeprefix("+ "), text, head.text.startswith("+ ")))
    return tuple(blocks)


def _questions(lines: list[Line], name: str) -> tuple[Question, ...]:
    questions = []
    for head, body in _headed(lines):
        if not head.text:
            continue
        options: list[str] = []
        right: list[int] = []
        why: list[str] = []
        chosen: dict[str, str] = {}
        asked = head.text
        for line in body:
            text = line.text
            mark = re.match(r"- \[( |x|X)\] (.*)", text)
            link = SETTINGS.fullmatch(text)
            if mark:
                if mark[1] != " ":
                    right.append(len(options))
                options.append(mark[2].strip())
            elif text.startswith(">"):
                why.append(text[1:].strip())
            elif link:
                chosen = settings(link[1])
            elif text.startswith("  ") and options and not why:
                options[-1] = joined(options[-1], text)
            elif text and not options:
                asked += "\n\n" + text
            elif text:
                raise wrong(name, line.number, f"not part of a question: {text!r:.60}")
        if len(options) < 2 or len(right) != 1 or not why:
            raise wrong(name, head.number, "a question has two options or more, one of them right [x], and a > why")
        questions.append(Question(asked, tuple(options), right[0], paragraph(why), chosen))
    return tuple(questions)


def paragraph(lines: list[str]) -> str:
    """Wrapped lines as paragraphs, divided where a line is empty."""
    out = [""]
    for line in lines:
        if line:
            out[-1] = joined(out[-1], line)
        elif out[-1]:
            out.append("")
    return "\n\n".join(part for part in out if part)


def _controls(lines: list[Line], name: str) -> tuple[dict[str, ControlWords], dict[str, str]]:
    controls: dict[str, ControlWords] = {}
    presets: dict[str, str] = {}
    options: dict[str, str] = {}
    entries: list[Line] = []
    for line in lines:  # "  - bowl: Bowl" is an option, "  more help" goes on with the line before
        if line.text.startswith(("- ", "  - ")) or not line.text.strip():
            entries.append(line)
        elif entries and line.text.startswith("  "):
            entries[-1] = Line(entries[-1].number, joined(entries[-1].text, line.text.strip()))
        else:
            raise wrong(name, line.number, f"expected a setting '- name: label | help', found {line.text!r:.60}")
    for line in entries:
        if line.text.startswith("  - "):
            key, label = pair(Line(line.number, line.text[4:]), name)
            check_new(key, options, line, name)
            options[key] = label
        elif line.text.startswith("- "):
            key, rest = pair(Line(line.number, line.text[2:]), name)
            if key.startswith("preset."):
                key = key.removeprefix("preset.")
                check_new(key, presets, line, name)
                presets[key] = rest
                continue
            check_new(key, controls, line, name)
            label, _, explained = rest.replace("｜", "|").partition("|")
            options = {}
            controls[key] = ControlWords(label.strip(), explained.strip(), options)
    return controls, presets


def _figures(lines: list[Line], name: str) -> dict[str, FigureWords]:
    figures: dict[str, FigureWords] = {}
    for head, body in _headed(lines):
        if not head.text:
            continue
        check_new(head.text, figures, head, name)
        values = pairs(body, name)
        if not values.get("title") or not values.get("alt"):
            raise wrong(name, head.number, f"figure {head.text} needs at least a title and an alt")
        labels = {key: text for key, text in values.items() if key not in FIGURE_KEYS}
        title, caption, alt, reading = (values.get(key, "") for key in FIGURE_KEYS)
        figures[head.text] = FigureWords(title, caption, alt, reading, labels)
    return figures
