"""The three tasks: sequences of symbols and the answers to be written after them. In numpy, without torch.

The network reads a sequence of L symbols, then the bar, and after it writes the answer, one symbol at a time. So it
reads 2L tokens (the last symbol of the answer is never read), and predicts the next symbol at each place from L on.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

LETTERS = "ABCDEFGHIJKLMNOP"
BAR = "|"
HELD_OUT = 256

Whole = npt.NDArray[np.int64]


def solution(task: str, sequences: Whole) -> Whole:
    """The answers (n, length) to `sequences` (n, length): the same, reversed, or sorted."""
    if task == "reverse":
        return sequences[:, ::-1].copy()
    return np.sort(sequences, axis=1) if task == "sort" else sequences


def held_out(params: Any) -> Whole:
    """The held-out sequences (n, length), which no training batch ever holds, all different, drawn with the seed.

    n is HELD_OUT, or a quarter of all sequences there are if that is less, but at least 1.
    """
    every = params.symbols**params.length
    wanted = max(1, min(HELD_OUT, every // 4))
    draw = np.random.default_rng([params.seed, 1])
    if every <= 4096:
        codes = draw.permutation(every)[:wanted]
        digits = params.symbols ** np.arange(params.length)[::-1]
        return np.asarray(codes[:, None] // digits % params.symbols, np.int64)
    drawn = draw.integers(0, params.symbols, (2 * wanted, params.length))
    _, first = np.unique(drawn, axis=0, return_index=True)
    return np.asarray(drawn[np.sort(first)][:wanted], np.int64)


def sources(task: str, sequences: Whole) -> npt.NDArray[np.bool_]:
    """Where in `sequences` (n, length) the symbols of the answers stand: (n, place of answer, place of sequence).

    Copy and reverse have one such place; sort has as many as there are copies of the symbol.
    """
    n, length = sequences.shape
    if task == "sort":
        return np.equal(solution(task, sequences)[:, :, None], sequences[:, None, :])
    same = np.eye(length, dtype=np.bool_)
    return np.broadcast_to(same[::-1] if task == "reverse" else same, (n, length, length))


def spelled(sequence: Whole) -> list[str]:
    """[0, 2, 1] as ["A", "C", "B"]."""
    return [LETTERS[int(symbol)] for symbol in sequence]


def read(text: str) -> Whole:
    """ "ACB" as [0, 2, 1]."""
    return np.array([LETTERS.index(letter) for letter in text], np.int64)


def tokens(task: str, sequence: Whole) -> list[str]:
    """The 2L tokens that the network reads, as labels beside an attention map."""
    return [*spelled(sequence), BAR, *spelled(solution(task, sequence[None])[0])[:-1]]
