"""A small transformer learns to copy, reverse or sort sequences. Needs torch and numpy; runs in seconds.

It reads a sequence and a bar, and writes the answer symbol by symbol: "BADC|" -> "CDAB". Attention is written out in
four lines; everything else is what every transformer of this kind has.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

# settings
TASK = "reverse"  # copy, reverse, sort
LENGTH = 8
LAYERS = 2
HEADS = 4
POSITIONS = "learned"  # learned, sine, none
LR = 0.002
SYMBOLS = 10
MLP = False
WIDTH = 16
BATCH = 64
WARMUP = 50
STEPS = 300
SEED = 0
# end of settings

LETTERS = "ABCDEFGHIJKLMNOP"
BAR = SYMBOLS  # the number of the bar


class Attention(nn.Module):
    """Causal self-attention: each place looks at itself and at what came before."""

    def __init__(self):
        super().__init__()
        inner = HEADS * (WIDTH // HEADS)
        self.query = nn.Linear(WIDTH, inner, bias=False)
        self.key = nn.Linear(WIDTH, inner, bias=False)
        self.value = nn.Linear(WIDTH, inner, bias=False)
        self.out = nn.Linear(inner, WIDTH, bias=False)

    def forward(self, x):
        n, t, _ = x.shape
        q, k, v = (part(x).view(n, t, HEADS, -1).transpose(1, 2) for part in (self.query, self.key, self.value))
        scores = q @ k.transpose(2, 3) / math.sqrt(q.shape[3])  # how well each query fits each key
        later = torch.ones(t, t, dtype=torch.bool).triu(1)
        weights = scores.masked_fill(later, -math.inf).softmax(3)  # who looks where: each row adds up to one
        mixed = weights @ v  # what is fetched from there
        return self.out(mixed.transpose(1, 2).reshape(n, t, -1)), weights


class Block(nn.Module):
    """Attention, then an MLP if wanted; each reads a normalised copy and adds its result to the stream."""

    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(WIDTH)
        self.attention = Attention()
        self.mlp = None
        if MLP:
            hidden = [nn.Linear(WIDTH, 2 * WIDTH), nn.GELU(), nn.Linear(2 * WIDTH, WIDTH)]
            self.mlp = nn.Sequential(nn.LayerNorm(WIDTH), *hidden)

    def forward(self, x):
        added, weights = self.attention(self.norm(x))
        x = x + added
        return (x if self.mlp is None else x + self.mlp(x)), weights


def sine(places, width):
    """Sines and cosines of falling frequency."""
    at = torch.arange(places)[:, None]
    speed = 10_000 ** (-torch.arange(0, width, 2) / width)
    return torch.stack([(at * speed).sin(), (at * speed).cos()], 2).reshape(places, width)


class Transformer(nn.Module):
    """Tokens to scores for the next symbol."""

    def __init__(self):
        super().__init__()
        places = 2 * LENGTH
        self.token = nn.Embedding(SYMBOLS + 1, WIDTH)
        if POSITIONS == "learned":
            self.place = nn.Parameter(torch.randn(places, WIDTH))
        else:
            fixed = sine(places, WIDTH) if POSITIONS == "sine" else torch.zeros(places, WIDTH)
            self.register_buffer("place", fixed, persistent=False)
        self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
        self.norm = nn.LayerNorm(WIDTH)
        self.head = nn.Linear(WIDTH, SYMBOLS, bias=False)

    def forward(self, tokens):
        x = self.token(tokens) + self.place[: tokens.shape[1]]
        seen = []
        for block in self.blocks:
            x, weights = block(x)
            seen.append(weights)
        return self.head(self.norm(x)), seen


def solution(sequences):
    """What is to be written after each sequence."""
    if TASK == "reverse":
        return sequences.flip(1)
    return sequences.sort(1).values if TASK == "sort" else sequences


def tokens(sequences, answers):
    """What is read: the sequence, the bar, the answer without its last symbol."""
    return torch.cat([sequences, torch.full((len(sequences), 1), BAR), answers[:, :-1]], 1)


def held_out():
    """Up to 256 sequences that no training batch holds."""
    every = SYMBOLS**LENGTH
    wanted = max(1, min(256, every // 4))
    draw = np.random.default_rng([SEED, 1])
    if every <= 4096:
        codes = draw.permutation(every)[:wanted]
        digits = SYMBOLS ** np.arange(LENGTH)[::-1]
        return torch.from_numpy(codes[:, None] // digits % SYMBOLS)
    drawn = draw.integers(0, SYMBOLS, (2 * wanted, LENGTH))
    _, first = np.unique(drawn, axis=0, return_index=True)
    return torch.from_numpy(drawn[np.sort(first)][:wanted])


def codes(sequences):
    """One whole number for each sequence."""
    return (sequences * SYMBOLS ** torch.arange(LENGTH)).sum(1)


def fresh(known, generator):
    """A batch of random sequences, none of them held out."""
    sequences = torch.randint(SYMBOLS, (BATCH, LENGTH), generator=generator)
    while (again := torch.isin(codes(sequences), known)).any():
        sequences[again] = torch.randint(SYMBOLS, (int(again.sum()), LENGTH), generator=generator)
    return sequences


@torch.no_grad()
def written(model, sequence):
    """What the network writes after one sequence when it reads its own symbols back in."""
    read = torch.cat([sequence, torch.tensor([BAR])])[None]
    for _ in range(LENGTH):
        scores, _ = model(read)
        read = torch.cat([read, scores[:, -1].argmax(1, keepdim=True)], 1)
    return "".join(LETTERS[one] for one in read[0, LENGTH + 1 :])


def main():
    torch.manual_seed(SEED)
    model = Transformer()
    optimiser = torch.optim.AdamW(model.parameters(), LR, (0.9, 0.98), weight_decay=0.01)
    generator = torch.Generator().manual_seed(SEED)
    kept = held_out()
    known = codes(kept)

    for step in range(1, STEPS + 1):
        for group in optimiser.param_groups:
            group["lr"] = LR * min(1.0, step / WARMUP) if WARMUP else LR
        sequences = fresh(known, generator)
        answers = solution(sequences)
        scores, _ = model(tokens(sequences, answers))
        guesses = scores[:, LENGTH:]  # what each place from the bar on says comes next
        loss = F.cross_entropy(guesses.flatten(0, 1), answers.flatten())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if step % max(1, STEPS // 10) == 0:
            with torch.no_grad():
                right = model(tokens(kept, solution(kept)))[0][:, LENGTH:].argmax(2) == solution(kept)
            exact = right.all(1).float().mean().item()
            print(f"step {step}: loss {loss.item():.4f}, held-out sequences without a mistake {exact:.1%}")

    for sequence in kept[:3]:
        print("".join(LETTERS[one] for one in sequence), "->", written(model, sequence))
    print(f"final loss {loss.item():.6f}")


if __name__ == "__main__":
    main()
