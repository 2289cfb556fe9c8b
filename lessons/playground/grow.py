"""Weights of one network taken over by another of a different shape: what fits is kept, and what is new is quiet.

A new unit listens as a fresh network's would and is not listened to yet: its outgoing weights are zero. A new last
layer passes on what comes in. So what the network says stays the same where the activation allows it, and training
goes on from there: T. Chen, I. Goodfellow, J. Shlens (2016), Net2Net, https://arxiv.org/abs/1511.05641.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

Layers = list[tuple[Tensor, Tensor]]  # weight (out, in) and bias (out,) of each layer


def grow(old: Layers, new: Layers, inputs: Sequence[int], *, memory: bool = False) -> None:
    """Fills `new`, which holds fresh weights, from `old`; `inputs[i]` is the old input that new input i was, or -1.

    Of an optimiser's `memory` only what fits is taken over; `new` holds zeros then, and they stay.
    """
    hidden = len(old) - 1
    for at, (weight, bias) in enumerate(new):
        last = at == len(new) - 1
        source = hidden if last else at if at < hidden else None
        before = weight.shape[1]
        if source is None:  # a layer more than there were
            if not memory:
                same = min(weight.shape)
                weight[:same] = 0
                weight[:same].fill_diagonal_(1)
                bias[:same] = 0
            continue
        given, shift = old[source]
        rows = min(len(given), len(weight))
        listens_to_inputs = (at == 0, source == 0)
        if listens_to_inputs == (True, True):
            pairs = [(mine, its) for mine, its in enumerate(inputs) if its >= 0]
        elif any(listens_to_inputs):
            pairs = []  # a layer of inputs where there was one of units, or the other way round: nothing fits
        else:
            pairs = [(one, one) for one in range(min(before, given.shape[1]))]
        bias[:rows] = shift[:rows]
        if not pairs:
            continue
        weight[:rows] = 0
        for mine, its in pairs:
            weight[:rows, mine] = given[:rows, its]


def placed(old: Tensor, before: Sequence[int], fresh: Tensor, after: Sequence[int]) -> Tensor:
    """Numbers of hidden units, one for each, taken over layer by layer into `fresh` ones of a network of `after`."""
    found, start, from_ = fresh.clone(), 0, 0
    for layer in range(1, len(after) - 1):
        had = before[layer] if layer < len(before) - 1 else 0
        same = min(had, after[layer])
        found[start : start + same] = old[from_ : from_ + same]
        start, from_ = start + after[layer], from_ + had
    return found
