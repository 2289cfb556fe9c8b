"""A small transformer that reads a sequence and a bar, and writes the answer symbol by symbol.

Pre-norm blocks of causal self-attention, each followed by an MLP if wanted (Vaswani and others, 2017; pre-norm as in
Xiong and others, 2020). Attention is written out in `Attention.forward`, for learners to read.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from engine.checkpoint import model_tensors
from engine.types import Checkpoint, Problem

POSITIONS = ("learned", "sine", "none")


@dataclass(frozen=True, slots=True)
class Shape:
    """What a network is built from: `symbols` without the bar; `places`, the most tokens that it reads."""

    symbols: int
    places: int
    layers: int
    heads: int
    width: int
    positions: str
    mlp: bool


class Attention(nn.Module):
    """Causal self-attention with `heads` heads of width // heads numbers each, without biases."""

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
        """What attention adds to x (n, t, width), and its weights (n, heads, t, t).

        weights[:, h, i, j] = softmax(q·k / √d) is how much place i takes from place j, zero for j > i. `on` (n or 1,
        heads), 1 or 0: each head's output is multiplied by it before the output matrix mixes the heads.
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
    """Attention, then the MLP if there is one; each reads a normalised copy of x and adds its result to x."""

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
    """Scores for the next symbol at each place of a sequence of tokens."""

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
        """The number of heads in all layers."""
        return self.shape.layers * self.shape.heads

    def embedded(self, tokens: Tensor) -> Tensor:
        """Token and place embeddings added: (n, t) to (n, t, width)."""
        x: Tensor = self.token(tokens) + self.place[: tokens.shape[1]]
        return x

    def forward(self, tokens: Tensor, on: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Tokens (n, t) to scores (n, t, symbols) and all weights (n, layers, heads, t, t).

        `on` (n or 1, layers, heads): 0 switches a head off, 1 leaves it as it is.
        """
        x = self.embedded(tokens)
        every = []
        for number, block in enumerate(self.blocks):
            x, weights = block(x, None if on is None else on[:, number])
            every.append(weights)
        return self.head(self.norm(x)), torch.stack(every, 1)


def sine(places: int, width: int) -> Tensor:
    """Sines and cosines of falling frequency, (places, width), as in Vaswani and others (2017), section 3.5."""
    at = torch.arange(places)[:, None]
    speed = 10_000 ** (-torch.arange(0, width, 2) / width)
    return torch.stack([(at * speed).sin(), (at * speed).cos()], 2).reshape(places, width)


def marks(shape: Shape) -> Checkpoint:
    """What a checkpoint says about its network, so that `load` can build it again."""
    positions = POSITIONS.index(shape.positions)
    numbers = [shape.symbols, shape.places, shape.layers, shape.heads, shape.width, positions, shape.mlp]
    return {"made": np.array(numbers, np.int64)}


def load(state: Checkpoint) -> Transformer:
    """The network of a checkpoint of this lesson. Raises Problem for a checkpoint that is not."""
    try:
        symbols, places, layers, heads, width, positions, mlp = (int(number) for number in state["made"])
        # The random weights are replaced at once, and must not move the global generator that runs draw from.
        with torch.random.fork_rng(devices=[]):
            model = Transformer(Shape(symbols, places, layers, heads, width, POSITIONS[positions], bool(mlp)))
        model.load_state_dict(model_tensors(state))
    except (KeyError, ValueError, IndexError, RuntimeError) as error:
        raise Problem(
            "This kept network is not one of this lesson's, or of another version of it. Train one anew.",
            "这个保存的网络不是本课训练的，或出自另一个版本。请重新训练一个。",
        ) from error
    return model
