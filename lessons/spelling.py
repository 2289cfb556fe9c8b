"""Formulas as people write them, put into Python's spelling: 2x², |x|, ln x, and signs of other keyboards."""

from __future__ import annotations

import re
from collections.abc import Set
from dataclasses import dataclass, replace

# Other ways to type the same. Full-width forms (U+FF01 to U+FF5E) are also read as the ASCII characters they stand for.
SPELLINGS = {
    "^": "**",
    "×": "*",
    "·": "*",
    "⋅": "*",
    "∗": "*",
    "•": "*",
    "÷": "/",
    "∕": "/",
    "−": "-",
    "–": "-",
    "π": " pi ",
    "√": " sqrt ",
    "　": " ",
}
SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
ALIASES = {"ln": "log"}
# What may follow the value of a function without brackets: of sin x**2 there are two readings.
ENDS = ("+", "-", ")", ",", "|")
TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)|(?P<name>[^\W0-9]\w*)"
    r"|(?P<sign>\*\*|[-+*/(),]))"
)


def normalised(text: str) -> tuple[str, list[int]]:
    """`text` in Python's spelling, and for each of its characters the index in `text` that it came from."""
    source: list[str] = []
    origin: list[int] = []
    for index, char in enumerate(text):
        if "！" <= char <= "～":
            char = chr(ord(char) - 0xFEE0)
        digit = char.translate(SUPERSCRIPTS)
        if digit != char:
            raised = index and text[index - 1].translate(SUPERSCRIPTS) != text[index - 1]
            char = digit if raised else f"**{digit}"  # x¹² is x**12
        for letter in SPELLINGS.get(char, char):
            source.append(" " if letter.isspace() else letter)
            origin.append(index)
    return "".join(source), origin


@dataclass(frozen=True, slots=True)
class Token:
    """A number, name or sign of a formula, where it begins in the text as it was typed, and the space before it."""

    kind: str
    text: str
    at: int
    space: str = ""


def tokens_of(source: str, origin: list[int]) -> list[Token]:
    """The tokens of a formula; a character that is none, such as a bar, is a token of the kind "other"."""
    tokens: list[Token] = []
    at = 0
    while rest := source[at:].lstrip():
        begin = len(source) - len(rest)
        match = TOKEN.match(source, begin)
        kind, end = (match.lastgroup or "other", match.end()) if match else ("other", begin + 1)
        spelled = begin > 0 and kind == "name" and origin[begin - 1] == origin[begin]  # of one character, such as π
        tokens.append(Token(kind, source[begin:end], origin[begin], source[at : begin - spelled]))
        at = end + (spelled and source[end : end + 1] == " ")
    return tokens


def written_out(source: str, origin: list[int], names: Set[str], calls: Set[str]) -> tuple[str, list[int]]:
    """What people leave out of a formula where it has one meaning, written as Python needs it; and the origin of each
    character.

    2x and x(y + 1) are products, ln(x) is log(x), X is x, |x| is abs(x), sin x is sin(x). What cannot be read is left
    as it is, to be refused. `calls` are those of `names` that are functions.
    """
    tokens = [renamed(token, names) for token in with_absolute_values(tokens_of(source, origin))]
    words: list[Token] = []
    for before, token, after in zip([None, *tokens], tokens, [*tokens[1:], None], strict=False):
        if before and before.text in calls and is_value(token, calls) and (not after or after.text in ENDS):
            words += [Token("sign", "(", token.at), replace(token, space=""), Token("sign", ")", token.at)]
        elif before and (is_value(before, calls) or before.text == ")") and begins_factor(token):
            words += [Token("sign", "*", token.at), replace(token, space="")]
        else:
            words.append(token)
    text = "".join(word.space + word.text for word in words)
    return text, [word.at for word in words for _ in word.space + word.text]


def is_value(token: Token, calls: Set[str]) -> bool:
    """Whether a token is a value by itself: a number, a variable, a constant."""
    return token.kind == "number" or (token.kind == "name" and token.text not in calls)


def begins_factor(token: Token) -> bool:
    """Whether a factor may begin with a token: a value that stands before it is multiplied by it."""
    return token.kind == "name" or token.text == "("


def renamed(token: Token, names: Set[str]) -> Token:
    """A name as the formula's grammar has it: another word for a function, a capital letter for a variable."""
    if token.kind != "name" or token.text in names:
        return token
    small = token.text.lower()
    name = ALIASES.get(small, small)
    return replace(token, text=name) if name in names else token


def with_absolute_values(tokens: list[Token]) -> list[Token]:
    """Pairs of bars as calls of abs: one closes the last that is open if a value ends before it, else it opens."""
    result: list[Token] = []
    opened = 0
    for token in tokens:
        if token.text != "|":
            result.append(token)
        elif opened and (result[-1].kind in ("name", "number") or result[-1].text == ")"):
            opened -= 1
            result.append(replace(token, kind="sign", text=")"))
        else:
            opened += 1
            result += [replace(token, kind="name", text="abs"), Token("sign", "(", token.at)]
    return tokens if opened else result
