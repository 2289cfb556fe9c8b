"""The three tasks: sequences of letters and what is to be written after them. Plain numpy, for both processes.

A sequence of L symbols is read as L numbers; then comes the bar, and after it the answer is written, one symbol at a
time. So the network reads 2L tokens (the last symbol of the answer is only written, never read), and from place L on
each place says which symbol comes next.
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
    """What is to be written after each of `sequences` (n, length): the same, backwards, or in order of the alphabet."""
    if task == "reverse":
        return sequences[:, ::-1].copy()
    return np.sort(sequences, axis=1) if task == "sort" else sequences


def held_out(params: Any) -> Whole:
    """Sequences (n, length) that no training batch ever holds, all different, drawn with the seed.

    256 of them, or a quarter of all there are if that is less (at least one).
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
    """(n, place of the answer, place of the sequence): where the symbol to be written stands.

    Copy and reverse have one such place. Sorting has as many as the symbol has copies: any of them will do.
    """
    n, length = sequences.shape
    if task == "sort":
        return np.equal(solution(task, sequences)[:, :, None], sequences[:, None, :])
    one = np.eye(length, dtype=np.bool_)
    return np.broadcast_to(one[::-1] if task == "reverse" else one, (n, length, length))


def spelled(sequence: Whole) -> list[str]:
    """[0, 2, 1] as ["A", "C", "B"]."""
    return [LETTERS[int(one)] for one in sequence]


def read(text: str) -> Whole:
    """ "ACB" as [0, 2, 1]."""
    return np.array([LETTERS.index(letter) for letter in text], np.int64)


def tokens(task: str, sequence: Whole) -> list[str]:
    """The 2L tokens that the network reads, as they are written beside an attention map."""
    return [*spelled(sequence), BAR, *spelled(solution(task, sequence[None])[0])[:-1]]
