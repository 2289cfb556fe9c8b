"""Encoding a sentence in the open, then once more for each head with that head switched off."""

from __future__ import annotations

import math
import re
from collections.abc import Generator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from engine.params import int_arg, parse
from engine.types import Arrays, Checkpoint, Job, Problem, Scalars, Step, Values
from lessons.attention.encoder import HEADS, LAYERS, WIDTH, encoder, meaning
from lessons.attention.params import MOST_OTHERS, Params
from lessons.attention.tokens import LONGEST, tokens

THUMBNAIL = 32  # rows and columns of a head's small picture, at most
SMALL = 32  # tokens up to which every frame carries the chosen head in full
PARTS = 11  # tokens shown one by one in a weighted sum; the others are added up
PATH = 1024  # tokens that one attribution may cost, forwards and backwards


@dataclass(frozen=True, slots=True)
class Reading:
    """A text as the encoder read it: what went into each layer, with the last one's output at the end, 7 of
    (1, n, 384); its meaning (384,); the heads' weights as small pictures, uint8 (72, r, r)."""

    inputs: tuple[Tensor, ...]
    meaning: Tensor
    pictures: np.ndarray


def run(job: Job, state: Checkpoint | None = None) -> Generator[Step, Values | None, None]:
    """Reads the text (step 0), then again with one head after the other switched off alone (steps 1 to 72).

    Scalars: loss (1 - cosine between the meaning with all heads on and with those of `off` switched off, the same at
    every step); at step 0 tokens and unknown (how many) and cosine (the text and the first other sentence, heads off
    as set); at step k change (1 - cosine, head k alone off).
    """
    p = parse(Params, job.params)
    device = place(job.device)
    found = tokens(p.text)
    full = read(found.ids, (), device)
    changes = np.full(LAYERS * HEADS, np.nan)
    done = 0
    if state is not None:
        changes = np.array(state["changes"])
        done = int(state["at.step"])

    def snapshot() -> Checkpoint:
        return {"changes": changes.copy(), "at.step": np.array(done)}

    def picture() -> Arrays:
        # a long text's pictures are sent once a layer: they are large, and only one number of them is new
        return frame(p, changes, device) if len(found.ids) <= SMALL or done % HEADS == 0 else {}

    scalars: Scalars = {"loss": moved(full.meaning, read(found.ids, p.heads_off, device).meaning)}
    if state is None:
        _, after = similarities(p, device)
        first = {"tokens": len(found.ids), "unknown": len(found.unknown), "cosine": after[0]}
        yield Step(0, {**scalars, **first}, LAYERS * HEADS, picture, snapshot)
    while done < LAYERS * HEADS:
        changes[done] = moved(full.meaning, without(full, done, device))
        done += 1
        yield Step(done, {**scalars, "change": float(changes[done - 1])}, LAYERS * HEADS, picture, snapshot)


def place(wanted: str) -> str:
    """The device for "auto", "cpu", "cuda" or "mps"."""
    if wanted != "auto":
        return wanted
    return "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"


def switches(off: tuple[int, ...], device: str) -> Tensor:
    """1 for each head that is on, 0 for each that is off: (6, 12)."""
    on = torch.ones(LAYERS * HEADS)
    on[list(off)] = 0
    return on.view(LAYERS, HEADS).to(device)


@lru_cache(maxsize=8)
@torch.no_grad()
def read(ids: tuple[int, ...], off: tuple[int, ...], device: str) -> Reading:
    """A text read with some heads off. ByteLruCache, for questions about it follow."""
    made = encoder(device)
    x = made.embed(made.look_up(torch.tensor([ids], device=device)))
    inputs, seen = made.layers(x, switches(off, device) if off else None)
    weights = torch.cat([one.weights[0] for one in seen])
    if len(ids) > THUMBNAIL:
        weights = F.adaptive_max_pool2d(weights, THUMBNAIL)
    pictures = (weights * 255).round().to(torch.uint8).cpu().numpy()
    return Reading(tuple(inputs), meaning(inputs[-1])[0], pictures)


@torch.no_grad()
def without(full: Reading, index: int, device: str) -> Tensor:
    """The meaning of a text (384,) with head `index` alone switched off; layers below it stay as they were."""
    first = index // HEADS
    inputs, _ = encoder(device).layers(full.inputs[first], switches((index,), device), first=first)
    return meaning(inputs[-1])[0]


def cosine(a: Tensor, b: Tensor) -> float:
    """Of two vectors of length 1."""
    return float((a.double() @ b.double()) / (a.double().norm() * b.double().norm()))


def moved(a: Tensor, b: Tensor) -> float:
    """How far a meaning has moved: 1 - cosine, 0 for not at all."""
    return max(0.0, 1 - cosine(a, b))


@lru_cache(maxsize=64)
@torch.no_grad()
def meanings(sentences: tuple[str, ...], device: str) -> Tensor:
    """What several sentences mean, all heads on: (m, 384)."""
    return encoder(device).texts([tokens(one).ids for one in sentences])


def similarities(p: Params, device: str) -> tuple[list[float], list[float]]:
    """Cosines of the text and each other sentence: all heads on, and the text read with those of `off` switched off."""
    ids = tokens(p.text).ids
    texts = [read(ids, off, device).meaning for off in ((), p.heads_off)]
    before, after = ([cosine(text, other) for other in meanings(p.sentences, device)] for text in texts)
    return before, after


def frame(p: Params, changes: np.ndarray, device: str) -> Arrays:
    """Pictures of all heads, what switching each off changed so far (NaN: not tried yet), and the similarities."""
    ids = tokens(p.text).ids
    before, after = similarities(p, device)
    arrays: Arrays = {
        "pictures": read(ids, p.heads_off, device).pictures,
        "changes": changes.astype(np.float32),
        "cosines": np.array([before, after], np.float32).T,
    }
    if len(ids) <= SMALL:
        arrays |= head(p, p.head, p.token, p.to, device)
    return arrays


# --- questions ----------------------------------------------------------------------------------------------------


def look(job: Job, state: Checkpoint | None, name: str, args: Values) -> Arrays:
    """Answers about a text.

    "head"         head "4.2", token, to      that head in full, and one token's way through it
    "attribution"  other                      which tokens the similarity to another sentence rests on
    Raises Problem for arguments that are not of that form.
    """
    p = parse(Params, job.params)
    device = place(job.device)
    if name == "head":
        chosen = args.get("head", p.head)
        if not isinstance(chosen, str) or not re.fullmatch(r"[1-6]\.([1-9]|1[0-2])", chosen):
            raise Problem(
                f"head = {chosen!r:.40} is not a head. Heads are named layer.head, from 1.1 to 6.12.",
                f"head = {chosen!r:.40} 不是注意力头。头按“层.头”命名，从 1.1 到 6.12。",
            )
        token, to = (int_arg(args, one, 0, LONGEST - 1, getattr(p, one)) for one in ("token", "to"))
        return head(p, chosen, token, to, device)
    if name == "attribution":
        return attribution(p, int_arg(args, "other", 0, MOST_OTHERS - 1, p.other), device)
    raise Problem(f"This lesson has no answer to {name!r:.40}.", f"本课无法回答 {name!r:.40}。")


@torch.no_grad()
def head(p: Params, chosen: str, token: int, to: int, device: str) -> Arrays:
    """One head in full, and what it does for one token.

    weights (n, n), row = who looks; way (n, 4): q·k, q·k/√32, e to the power of that less the largest, weight;
    pair (3, 32): q of the token, k of `to`, their products; parts (m, 32): weight × v of the tokens with the largest
    weights, of all others together if there are any, and last the sum, which is the head's output; which (m - 1,):
    whose parts they are, -1 for the others together; at: layer, head, token, to, all from 0. A token beyond the end
    of the text is its last.
    """
    ids = tokens(p.text).ids
    token, to = min(token, len(ids) - 1), min(to, len(ids) - 1)
    layer, number = (int(part) - 1 for part in chosen.split("."))
    seen = encoder(device).attend(layer, read(ids, p.heads_off, device).inputs[layer])
    q, k, v, scores, weights, out = (
        part[0, number] for part in (seen.q, seen.k, seen.v, seen.scores, seen.weights, seen.out)
    )
    scaled = scores[token] / math.sqrt(WIDTH)
    way = torch.stack([scores[token], scaled, (scaled - scaled.max()).exp(), weights[token]], 1)
    order = weights[token].argsort(descending=True, stable=True)
    shown, rest = order[: PARTS if len(ids) > PARTS + 1 else PARTS + 1].sort().values, order[PARTS:]
    parts = weights[token][:, None] * v
    rows = [parts[shown], out[token][None]]
    which = shown.tolist()
    if len(ids) > PARTS + 1:
        rows.insert(1, parts[rest].sum(0, keepdim=True))
        which.append(-1)
    return {
        "weights": host(weights),
        "way": host(way),
        "pair": host(torch.stack([q[token], k[to], q[token] * k[to]])),
        "parts": host(torch.cat(rows)),
        "which": np.array(which, np.int32),
        "at": np.array([layer, number, token, to], np.int32),
    }


def host(tensor: Tensor) -> np.ndarray:
    found: np.ndarray = tensor.float().cpu().numpy()
    return found


def attribution(p: Params, other: int, device: str) -> Arrays:
    """Which tokens the similarity to one other sentence rests on, beside the attention they get.

    rows (n, 2): the mean attention a token gets, over all heads and all tokens that look; its integrated gradient
    (Sundararajan et al., 2017), summed over its vector. The path leads straight from [PAD] in every place but those of
    [CLS] and [SEP] to the text; gradients are taken at Gauss-Legendre points. ends: the similarity at both ends of the
    path; what the attributions add up to falls short of their difference by the error of the sum.
    """
    sentences = p.sentences
    other = min(other, len(sentences) - 1)
    ids = tokens(p.text).ids
    n = len(ids)
    on = switches(p.heads_off, device)
    made = encoder(device)
    target = meanings(sentences, device)[other].clone()
    with torch.no_grad():
        text = made.look_up(torch.tensor([ids], device=device))
        base = made.look_up(torch.tensor([[ids[0], *[0] * (n - 2), ids[-1]]], device=device))
        _, seen = made.layers(made.embed(text), on)
        received = torch.cat([one.weights[0] for one in seen]).mean((0, 1))
    points, shares = np.polynomial.legendre.leggauss(max(6, min(32, PATH // n)))
    total = torch.zeros_like(text)
    for some in np.array_split(np.arange(len(points)), math.ceil(len(points) * n / 512)):
        along = torch.tensor((points[some] + 1) / 2, dtype=text.dtype, device=device)[:, None, None]
        share = torch.tensor(shares[some] / 2, dtype=text.dtype, device=device)[:, None, None]
        x = (base + along * (text - base)).requires_grad_()
        inputs, _ = made.layers(made.embed(x), on)
        (gradient,) = torch.autograd.grad((meaning(inputs[-1]) @ target).sum(), x)
        total += (share * gradient).sum(0)
    with torch.no_grad():
        ends = [float((meaning(made.layers(made.embed(end), on)[0][-1]) @ target)[0]) for end in (base, text)]
    given = ((text - base) * total)[0].sum(-1)
    return {
        "rows": np.stack([host(received), host(given)], 1),
        "ends": np.array(ends, np.float32),
        "other": np.array(other, np.int32),
    }
