"""A small transformer that reads a sequence and a bar, and writes the answer symbol by symbol. In torch, in the open.

Pre-norm blocks of causal self-attention, each followed by an MLP if wanted (Vaswani and others, 2017; pre-norm as in
Xiong and others, 2020). Nothing is hidden in a library's layer: the attention is the four lines of `Attention.forward`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Shape:
    """What a network is built from. `symbols` without the bar; `places` how many tokens it can take."""

    symbols: int
    places: int
    layers: int
    heads: int
    width: int
    positions: str
    mlp: bool


class Attention(nn.Module):
    """Causal self-attention with `heads` heads of width / heads numbers each, rounded down. No biases."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        inner = heads * (width // heads)
        self.query = nn.Linear(width, inner, bias=False)
        self.key = nn.Linear(width, inner, bias=False)
        self.value = nn.Linear(width, inner, bias=False)
        self.out = nn.Linear(inner, width, bias=False)

    def split(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values of all heads, each (n, heads, t, d), out of x (n, t, width)."""
        n, t, _ = x.shape
        q, k, v = (part(x).view(n, t, self.heads, -1).transpose(1, 2) for part in (self.query, self.key, self.value))
        return q, k, v

    def forward(self, x: Tensor, on: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """x (n, t, width) to what attention adds to it, and its weights (n, heads, t, t).

        weights[:, h, i, j] is how much place i takes from place j: softmax(q·k / √d), zero where j comes after i.
        `on` (n or 1, heads), 1 or 0: a head's output is multiplied by it before the output matrix mixes the heads.
        """
        n, t, _ = x.shape
        q, k, v = self.split(x)
        scores = q @ k.transpose(2, 3) / math.sqrt(q.shape[3])
        later = torch.ones(t, t, dtype=torch.bool, device=x.device).triu(1)
        weights = scores.masked_fill(later, -math.inf).softmax(3)
        mixed = weights @ v
        if on is not None:
            mixed = mixed * on[:, :, None, None]
        return self.out(mixed.transpose(1, 2).reshape(n, t, -1)), weights


class Block(nn.Module):
    """Attention, then the MLP if there is one; each reads a normalised copy and adds to the stream."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        width = shape.width
        self.norm = nn.LayerNorm(width)
        self.attention = Attention(width, shape.heads)
        self.mlp: nn.Module | None = None
        if shape.mlp:
            hidden = [nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)]
            self.mlp = nn.Sequential(nn.LayerNorm(width), *hidden)

    def forward(self, x: Tensor, on: Tensor | None = None) -> tuple[Tensor, Tensor]:
        added, weights = self.attention(self.norm(x), on)
        x = x + added
        if self.mlp is not None:
            x = x + self.mlp(x)
        return x, weights


class Transformer(nn.Module):
    """Tokens to scores for the next symbol."""

    place: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.token = nn.Embedding(shape.symbols + 1, shape.width)
        if shape.positions == "learned":
            self.place = nn.Parameter(torch.randn(shape.places, shape.width))
        elif shape.positions == "sine":
            self.register_buffer("place", sine(shape.places, shape.width), persistent=False)
        else:
            self.register_buffer("place", torch.zeros(shape.places, shape.width), persistent=False)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.norm = nn.LayerNorm(shape.width)
        self.head = nn.Linear(shape.width, shape.symbols, bias=False)

    @property
    def count(self) -> int:
        """How many heads there are in all layers."""
        return self.shape.layers * self.shape.heads

    def embedded(self, tokens: Tensor) -> Tensor:
        """Which symbol stands where: (n, t) to (n, t, width)."""
        found: Tensor = self.token(tokens) + self.place[: tokens.shape[1]]
        return found

    def forward(self, tokens: Tensor, on: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Tokens (n, t) to scores (n, t, symbols) and all weights (n, layers, heads, t, t).

        `on` (n or 1, layers, heads): 0 switches a head off, 1 leaves it as it is.
        """
        x = self.embedded(tokens)
        seen = []
        for number, block in enumerate(self.blocks):
            x, weights = block(x, None if on is None else on[:, number])
            seen.append(weights)
        return self.head(self.norm(x)), torch.stack(seen, 1)


def sine(places: int, width: int) -> Tensor:
    """Sines and cosines of falling frequency, (places, width), as in Vaswani and others (2017), section 3.5."""
    at = torch.arange(places)[:, None]
    speed = 10_000 ** (-torch.arange(0, width, 2) / width)
    return torch.stack([(at * speed).sin(), (at * speed).cos()], 2).reshape(places, width)
