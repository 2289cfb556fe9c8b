"""Settings of the attention lesson."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import field_validator

import engine.params
from engine.controls import Autorun, Hidden, Live, MultiChoice, Number, OnBoard, Slider, Text, ViewOnly
from engine.types import Problem
from lessons.attention.tokens import LONGEST, tokens

LAYERS, HEADS = 6, 12
NAMES = tuple(f"{layer}.{head}" for layer in range(1, LAYERS + 1) for head in range(1, HEADS + 1))
WHOLE = tuple(f"{layer}.*" for layer in range(1, LAYERS + 1))  # all heads of a layer
MOST_OTHERS = 6

TEXT = "The animal didn't cross the street because it was too tired."
OTHERS = """An exhausted animal stayed on its side of the road.
The street was too wide to cross.
Interest rates went up again."""


class Params(engine.params.Params):
    """What is read, what it is compared with, and which heads are off.

    `others` are sentences, one a line. Heads are named layer.head, both counted from 1; "3.*" is all of layer 3.
    `head`, `token`, `to` and `other` say what is looked at: a head, a token and one it attends to (counted from 0,
    [CLS] is 0), and one of the other sentences.
    """

    text: Annotated[str, Text(4000, lines=2), Autorun(), OnBoard()] = TEXT
    others: Annotated[str, Text(3000, lines=4), Autorun()] = OTHERS
    off: Annotated[tuple[str, ...], MultiChoice(WHOLE + NAMES, least=0, many=True), Autorun()] = ()
    head: Annotated[str, Text(4, r"[1-6]\.([1-9]|1[0-2])"), ViewOnly(), Hidden()] = "4.2"
    token: Annotated[int, Number(0, LONGEST - 1), ViewOnly(), Hidden()] = 10
    to: Annotated[int, Number(0, LONGEST - 1), ViewOnly(), Hidden()] = 2
    other: Annotated[int, Number(0, MOST_OTHERS - 1), ViewOnly(), Hidden()] = 0
    pace: Annotated[float, Slider(0.0, 72.0, step=4.0), Live()] = 24.0
    seed: Annotated[int, Number(0, 2**31 - 1)] = 0

    @field_validator("text")
    @classmethod
    def _readable(cls, value: str) -> str:
        return readable("text", value)

    @field_validator("others")
    @classmethod
    def _comparable(cls, value: str) -> str:
        sentences = lines(value)
        if not 1 <= len(sentences) <= MOST_OTHERS:
            raise Problem(
                f"others has {len(sentences)} sentences; write 1 to {MOST_OTHERS}, sentence on each line.",
                f"others 有 {len(sentences)} 句，请写 1 到 {MOST_OTHERS} 句，每行一句。",
            )
        for sentence in sentences:
            readable("others", sentence)
        return value

    @field_validator("off")
    @classmethod
    def _in_order(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(sorted(value, key=(WHOLE + NAMES).index))

    @property
    def sentences(self) -> tuple[str, ...]:
        """The other sentences."""
        return lines(self.others)

    @property
    def heads_off(self) -> tuple[int, ...]:
        """The heads that are off, counted from 0 layer by layer."""
        return tuple(
            index for index, name in enumerate(NAMES) if name in self.off or f"{name.split('.')[0]}.*" in self.off
        )


def lines(text: str) -> tuple[str, ...]:
    """The lines with something on them."""
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def readable(name: str, text: str) -> str:
    """`text` if the encoder can read it. Raises Problem where it has no words, or more tokens than fit."""
    encoded = tokens(text)
    if not encoded.words:
        raise Problem(
            f"{name} has no words the encoder could read ({len(text)} characters, all of them spaces or control "
            "characters). Write a sentence in English.",
            f"{name} 里没有编码器能读的词（{len(text)} 个字符，全是空白或控制字符）。请写一句英文。",
        )
    if len(encoded.pieces) > LONGEST:
        words = text.split()
        low, high = 0, len(words)
        while low < high:  # the largest number of words that fit
            middle = (low + high + 1) // 2
            low, high = (middle, high) if len(tokens(" ".join(words[:middle])).pieces) <= LONGEST else (low, middle - 1)
        until = " ".join(words[max(0, low - 3) : low])[-60:]
        raise Problem(
            f"{name} is {len(encoded.pieces)} tokens long; the encoder reads at most {LONGEST}, [CLS] and [SEP] among "
            f"them. The first {low} of its {len(words)} words fit"
            + (f", up to “{until}”. Cut off the rest." if low else ": break up the long one."),
            f"{name} 有 {len(encoded.pieces)} 个词元，编码器最多读 {LONGEST} 个（含 [CLS] 和 [SEP]）。"
            f"{len(words)} 个词里能放下前 {low} 个" + (f"，到“{until}”为止，请删去其余部分。" if low else "，请拆短。"),
        )
    return text


TINY = Params(text="Dogs chase cats.", others="Cats run.", pace=0.0)

PRESETS: dict[str, dict[str, Any]] = {
    "default": {},
    "order": {
        "text": "The dog bit the man.",
        "others": "The man bit the dog.\nA dog attacked someone.\nThe weather is nice.",
        "head": "1.3",
        "token": 2,
        "to": 1,
    },
    "negation": {
        "text": "The movie was not good.",
        "others": "The movie was bad.\nThe movie was good.\nThe film was great.",
        "head": "1.3",
        "token": 5,
        "to": 4,
    },
    "bank": {
        "text": "We sat on the bank of the river.",
        "others": "They rested by the water.\nShe opened a bank account.\nThe bank lent us money.",
        "head": "2.9",
        "token": 5,
        "to": 8,
    },
}
