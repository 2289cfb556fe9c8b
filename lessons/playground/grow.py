"""Weights of one network taken over by a network of another shape: what fits is kept, and what is new has no effect.

A new unit has the incoming weights of a fresh network and outgoing weights of zero; a new last layer is the identity.
So the network's outputs stay the same where the activation allows it, and training goes on from there: T. Chen, I.
Goodfellow, J. Shlens (2016), Net2Net, https://arxiv.org/abs/1511.05641.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

Layers = list[tuple[Tensor, Tensor]]  # weight (out, in) and bias (out,) of each layer


def grow(old: Layers, new: Layers, inputs: Sequence[int], *, memory: bool = False) -> None:
    """Fills `new`, which holds fresh weights, from `old`; `inputs[i]` is the number that input i had there, or -1.

    With `memory` both are an optimiser's memory of the weights: what fits is copied, and the rest of `new` stays.
    """
    hidden = len(old) - 1
    for at, (weight, bias) in enumerate(new):
        last = at == len(new) - 1
        source = hidden if last else at if at < hidden else None
        if source is None:  # there was no such layer
            if not memory:
                common = min(weight.shape)
                weight[:common] = 0
                weight[:common].fill_diagonal_(1)
                bias[:common] = 0
            continue
        old_weight, old_bias = old[source]
        rows = min(len(old_weight), len(weight))
        reads_inputs = (at == 0, source == 0)
        if reads_inputs == (True, True):
            columns = [(mine, its) for mine, its in enumerate(inputs) if its >= 0]
        elif any(reads_inputs):
            columns = []  # one reads the network's inputs, the other a hidden layer: nothing fits
        else:
            columns = [(column, column) for column in range(min(weight.shape[1], old_weight.shape[1]))]
        bias[:rows] = old_bias[:rows]
        if not columns:
            continue
        weight[:rows] = 0
        for mine, its in columns:
            weight[:rows, mine] = old_weight[:rows, its]


def grow_units(old: Tensor, old_sizes: Sequence[int], fresh: Tensor, sizes: Sequence[int]) -> Tensor:
    """One number for each hidden unit, layer by layer: those of `old` that fit, in a copy of `fresh`.

    `old` is of a network of `old_sizes`, `fresh` and the result are of one of `sizes` (inputs, layers, outputs).
    """
    numbers, start, old_start = fresh.clone(), 0, 0
    for layer in range(1, len(sizes) - 1):
        units = old_sizes[layer] if layer < len(old_sizes) - 1 else 0
        common = min(units, sizes[layer])
        numbers[start : start + common] = old[old_start : old_start + common]
        start, old_start = start + sizes[layer], old_start + units
    return numbers
