"""Sequences as tensors: random batches for training, their answers, and what the network reads."""

from __future__ import annotations

import torch
from torch import Tensor

from lessons.attention_learned.params import Params
from lessons.attention_learned.task import solution


def codes(sequences: Tensor, symbols: int) -> Tensor:
    """One integer for each sequence (n, length), different for different sequences; at most 16 ** 12."""
    return (sequences * symbols ** torch.arange(sequences.shape[1])).sum(1)


def draw(p: Params, held_out: Tensor, generator: torch.Generator) -> Tensor:
    """A batch of random sequences (batch, length), drawn anew as long as their codes are among those in `held_out`."""
    sequences = torch.randint(p.symbols, (p.batch, p.length), generator=generator)
    while (again := torch.isin(codes(sequences, p.symbols), held_out)).any():
        sequences[again] = torch.randint(p.symbols, (int(again.sum()), p.length), generator=generator)
    return sequences


def solutions(task: str, sequences: Tensor) -> Tensor:
    """The right answers (n, length) to sequences (n, length), on the same device."""
    return torch.from_numpy(solution(task, sequences.cpu().numpy())).to(sequences.device)


def inputs(sequences: Tensor, answers: Tensor, bar: int) -> Tensor:
    """What the network reads, (n, 2 length): the sequence, the bar, and the answer without its last symbol."""
    bars = torch.full((len(sequences), 1), bar, device=sequences.device)
    return torch.cat([sequences, bars, answers[:, :-1]], 1)
