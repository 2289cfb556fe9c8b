"""A table that a learner brings, as spreadsheets, pandas and people write it: two columns of numbers and a class.

Recognised are the encoding, what stands between the columns, decimal commas, a header, and a column that only numbers
the lines. Nothing is dropped or made up without a word: a line that cannot be used is named.
"""

from __future__ import annotations

import csv
import re
from collections import Counter

import numpy as np
import numpy.typing as npt

from engine.types import Problem
from lessons.playground.params import CLASSES, FEWEST

LARGEST, ROWS = 200_000, 2000  # bytes and points, at most
SPREAD = 2.5  # the columns are scaled to go from -SPREAD to SPREAD
SEPARATORS = ("\t", ";", ",", "|")
ENCODINGS = ("utf-8-sig", "gb18030", "cp1252")  # each refuses what the next may read; none of them a NUL
INDEX_NAMES = ("", "index", "id", "nr", "no", "no.", "#", "unnamed: 0", "序号", "编号")
DECIMAL_COMMA = re.compile(r"[-+]?[0-9]*,[0-9]+(?:[eE][-+]?[0-9]+)?")

Line = tuple[int, list[str]]  # its number in the file, from 1 on, and its cells


def read(data: bytes) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """The points of a table, (n, 2), scaled to the plane, and their classes, (n,), numbered in their names' order.

    Raises Problem that says in which line what is wrong.
    """
    if len(data) > LARGEST:
        raise unusable(
            f"it has {len(data) / 1000:.0f} kB; at most {LARGEST // 1000} kB are read",
            f"文件有 {len(data) / 1000:.0f} kB，最多读取 {LARGEST // 1000} kB",
        )
    lines = without_index(cells(decoded(data)))
    for number, row in lines:
        if len(row) != 3:
            raise unusable(
                f"line {number} has {len(row)} columns; there must be three: two numbers and a class",
                f"第 {number} 行有 {len(row)} 列，应有三列：两个数和一个类别",
            )
    if lines and is_header(lines[0][1]):
        del lines[0]
    places = [[coordinate(cell, number, row) for cell in row[:2]] for number, row in lines]
    names = [class_name(row[2], number) for number, row in lines]
    if not FEWEST <= len(places) <= ROWS:
        raise unusable(
            f"it has {len(places)} points; there must be {FEWEST} to {ROWS}",
            f"它有 {len(places)} 个点，应有 {FEWEST} 到 {ROWS} 个",
        )
    return scaled(np.array(places, np.float64)), numbered(names)


def decoded(data: bytes) -> str:
    """The text, in whichever encoding it is. Raises Problem if it is none."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):  # "Unicode text" of a spreadsheet
        encodings: tuple[str, ...] = ("utf-16",)
    else:
        encodings = ENCODINGS
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise unusable("it is not text", "它不是文本")


def cells(text: str) -> list[Line]:
    """The cells of every line that has any, numbers with a point and the ordinary minus."""
    separator = max(SEPARATORS, key=lambda separator: evenness(text, separator))
    rows = csv.reader(text.splitlines(), delimiter=separator, skipinitialspace=True)
    try:
        lines = [(rows.line_num, [cell.strip().replace("−", "-") for cell in row]) for row in rows]
    except csv.Error:  # a cell of over 131,072 characters
        raise unusable(f"line {rows.line_num + 1} is too long", f"第 {rows.line_num + 1} 行太长") from None
    return [(number, [with_point(cell, separator) for cell in row]) for number, row in lines if any(row)]


def evenness(text: str, separator: str) -> tuple[bool, int]:
    """How well a separator cuts the lines into columns: whether into three or more, and how many lines alike."""
    counts = Counter(line.count(separator) for line in text.splitlines() if line.strip())
    separators, lines = counts.most_common(1)[0] if counts else (0, 0)
    return separators >= 2, lines if separators else 0


def with_point(cell: str, separator: str) -> str:
    """A number with a decimal comma as Python writes it; anything else as it is."""
    return cell.replace(",", ".") if separator != "," and DECIMAL_COMMA.fullmatch(cell) else cell


def without_index(lines: list[Line]) -> list[Line]:
    """The lines without a first of four columns that has an index's name and counts the lines, as pandas writes it."""
    if not lines or any(len(row) != 4 for _, row in lines) or lines[0][1][0].lower() not in INDEX_NAMES:
        return lines
    index = [row[0] for _, row in lines[1:]]
    first = int(index[0]) if index and index[0] in ("0", "1") else 0
    if index != [str(first + place) for place in range(len(index))]:
        return lines
    return [(number, row[1:]) for number, row in lines]


def is_header(row: list[str]) -> bool:
    """Whether neither of the first two cells is a number."""
    return not any(is_number(cell) for cell in row[:2])


def is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def coordinate(cell: str, number: int, row: list[str]) -> float:
    """The number in a cell of line `number`. Raises Problem."""
    if not (is_number(row[0]) and is_number(row[1])):
        raise unusable(
            f"line {number} begins with {row[0]!r:.20} and {row[1]!r:.20}, which are not two numbers",
            f"第 {number} 行开头是 {row[0]!r:.20} 和 {row[1]!r:.20}，不是两个数",
        )
    value = float(cell)
    if not abs(value) < 1e30:
        raise unusable(f"line {number} has a number that is not finite", f"第 {number} 行有一个数不是有限数")
    return value


def class_name(cell: str, number: int) -> str:
    """The class in a cell of line `number`. Raises Problem if there is none."""
    if not cell:
        raise unusable(f"line {number} has no class in its third column", f"第 {number} 行的第三列没有类别")
    return cell


def scaled(places: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Both columns scaled to the plane. Raises Problem if one does not vary."""
    low, high = places.min(0), places.max(0)
    if (high <= low).any():
        column = int(np.argmax(high <= low)) + 1
        raise unusable(f"all numbers of column {column} are the same", f"第 {column} 列的数全都一样")
    on_plane: npt.NDArray[np.float64] = (2 * (places - low) / (high - low) - 1) * SPREAD
    return on_plane


def numbered(names: list[str]) -> npt.NDArray[np.int64]:
    """Classes by number. Raises Problem if there are too few or too many."""
    known = sorted(set(names), key=lambda name: (len(name), name))
    if len(known) == 1:
        raise unusable(f"all its points have the same class, {known[0]!r:.20}", f"所有点的类别都是 {known[0]!r:.20}")
    if len(known) > CLASSES:
        raise unusable(
            f"its third column has {len(known)} different classes; there must be 2 to {CLASSES}",
            f"第三列有 {len(known)} 种类别，应有 2 到 {CLASSES} 种",
        )
    return np.array([known.index(name) for name in names], np.int64)


def unusable(en: str, zh: str) -> Problem:
    return Problem(
        f"This CSV cannot be used: {en}. Mend it and upload it again.",
        f"这个 CSV 无法使用：{zh}。请改好后重新上传。",
    )
