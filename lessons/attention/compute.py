"""Encodes a text, then once more for each head with that head alone switched off, one head a step."""

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
from engine.worker import devices
from lessons.attention.encoder import HEADS, LAYERS, WIDTH, encoder, sentence_embedding
from lessons.attention.params import MOST_OTHERS, Params
from lessons.attention.tokens import LONGEST, tokens

THUMBNAIL = 32  # rows and columns of a head's small picture, at most
SMALL = 32  # tokens up to which every frame carries the chosen head in full
PARTS = 11  # tokens listed in a weighted sum; the others are added up
PATH = 1024  # tokens that one attribution may run forwards and backwards, in all points of its path
BATCH = 512  # of them at once


@dataclass(frozen=True, slots=True)
class Encoding:
    """A text in the encoder.

    `inputs`: what goes into each layer, and the last one's output, 7 of (1, n, 384); `embedding` (384,): of the text;
    `pictures` uint8 (72, r, r): the heads' attention weights, 0 to 255, with r at most THUMBNAIL.
    """

    inputs: tuple[Tensor, ...]
    embedding: Tensor
    pictures: np.ndarray


def run(job: Job, state: Checkpoint | None = None) -> Generator[Step, Values | None, None]:
    """Encodes the text (step 0), then again with one head after the other switched off (steps 1 to 72).

    Scalars: loss, the cosine distance between the embeddings with all heads on and with those of `off` switched off,
    the same at every step; at step 0 tokens and unknown (how many), and cosine (of the text, heads off as set, and the
    first other sentence); at step k change, the distance with head k alone off.
    """
    p = parse(Params, job.params)
    device = str(devices.choose(job.device))
    text = tokens(p.text)
    full = encode(text.ids, (), device)
    changes = np.full(LAYERS * HEADS, np.nan)
    done = 0
    if state is not None:
        changes = np.array(state["changes"])
        done = int(state["at.step"])

    def checkpoint() -> Checkpoint:
        return {"changes": changes.copy(), "at.step": np.array(done)}

    def picture() -> Arrays:
        # a long text's frame is large, and only one number of it is new in each step: it is sent once a layer
        return frame(p, changes, device) if len(text.ids) <= SMALL or done % HEADS == 0 else {}

    scalars: Scalars = {"loss": distance(full.embedding, encode(text.ids, p.heads_off, device).embedding)}
    if state is None:
        _, after = similarities(p, device)
        first = {"tokens": len(text.ids), "unknown": len(text.unknown), "cosine": after[0]}
        yield Step(0, {**scalars, **first}, LAYERS * HEADS, picture, checkpoint)
    while done < LAYERS * HEADS:
        changes[done] = distance(full.embedding, embedding_without(full, done, device))
        done += 1
        yield Step(done, {**scalars, "change": float(changes[done - 1])}, LAYERS * HEADS, picture, checkpoint)


def switches(off: tuple[int, ...], device: str) -> Tensor:
    """(6, 12): 0 for the heads in `off`, numbered through all layers, and 1 for the others."""
    on = torch.ones(LAYERS * HEADS)
    on[list(off)] = 0
    return on.view(LAYERS, HEADS).to(device)


@lru_cache(maxsize=8)
@torch.no_grad()
def encode(ids: tuple[int, ...], off: tuple[int, ...], device: str) -> Encoding:
    """A text encoded with some heads off; cached, because queries about it follow."""
    model = encoder(device)
    x = model.embed(model.look_up(torch.tensor([ids], device=device)))
    inputs, attention = model.layers(x, switches(off, device) if off else None)
    weights = torch.cat([layer.weights[0] for layer in attention])
    if len(ids) > THUMBNAIL:
        weights = F.adaptive_max_pool2d(weights, THUMBNAIL)
    pictures = (weights * 255).round().to(torch.uint8).cpu().numpy()
    return Encoding(tuple(inputs), sentence_embedding(inputs[-1])[0], pictures)


@torch.no_grad()
def embedding_without(full: Encoding, index: int, device: str) -> Tensor:
    """The embedding of a text (384,) with head `index` alone switched off; layers below it are not computed again."""
    first = index // HEADS
    inputs, _ = encoder(device).layers(full.inputs[first], switches((index,), device), first=first)
    return sentence_embedding(inputs[-1])[0]


def cosine(a: Tensor, b: Tensor) -> float:
    """The cosine similarity of two vectors, in float64."""
    return float((a.double() @ b.double()) / (a.double().norm() * b.double().norm()))


def distance(a: Tensor, b: Tensor) -> float:
    """The cosine distance, 1 - cosine, from 0 to 2."""
    return max(0.0, 1 - cosine(a, b))


@lru_cache(maxsize=64)
@torch.no_grad()
def sentence_embeddings(sentences: tuple[str, ...], device: str) -> Tensor:
    """The embeddings of m sentences with all heads on, (m, 384)."""
    return encoder(device).texts([tokens(sentence).ids for sentence in sentences])


def similarities(p: Params, device: str) -> tuple[list[float], list[float]]:
    """Cosines of the text and each other sentence: with all heads on, and with those of `off` off for the text."""
    ids = tokens(p.text).ids
    texts = [encode(ids, off, device).embedding for off in ((), p.heads_off)]
    before, after = ([cosine(text, other) for other in sentence_embeddings(p.sentences, device)] for text in texts)
    return before, after


def frame(p: Params, changes: np.ndarray, device: str) -> Arrays:
    """Pictures of all heads, `changes` (72,) by switching each off (NaN: not tried yet), and the similarities."""
    ids = tokens(p.text).ids
    before, after = similarities(p, device)
    arrays: Arrays = {
        "pictures": encode(ids, p.heads_off, device).pictures,
        "changes": changes.astype(np.float32),
        "cosines": np.array([before, after], np.float32).T,
    }
    if len(ids) <= SMALL:
        arrays |= head(p, p.head, p.token, p.to, device)
    return arrays


def look(job: Job, state: Checkpoint | None, name: str, args: Values) -> Arrays:
    """Answers the query `name`; no checkpoint is needed.

    "head"         head "4.2", token, to      that head in full, and how it computes one token's output
    "attribution"  other                      which tokens the similarity to another sentence comes from

    Raises Problem for arguments that are not of that form.
    """
    p = parse(Params, job.params)
    device = str(devices.choose(job.device))
    if name == "head":
        chosen = args.get("head", p.head)
        if not isinstance(chosen, str) or not re.fullmatch(r"[1-6]\.([1-9]|1[0-2])", chosen):
            raise Problem(
                f"head = {chosen!r:.40} is not a head. Heads are named layer.head, from 1.1 to 6.12.",
                f"head = {chosen!r:.40} 不是注意力头。头按“层.头”命名，从 1.1 到 6.12。",
            )
        token, to = (int_arg(args, key, 0, LONGEST - 1, getattr(p, key)) for key in ("token", "to"))
        return head(p, chosen, token, to, device)
    if name == "attribution":
        return attribution(p, int_arg(args, "other", 0, MOST_OTHERS - 1, p.other), device)
    raise Problem(f"This lesson has no answer to {name!r:.40}.", f"本课无法回答 {name!r:.40}。")


@torch.no_grad()
def head(p: Params, chosen: str, token: int, to: int, device: str) -> Arrays:
    """One head in full, and how it computes the output of one token.

    weights (n, n): row i is how much token i attends to each token; way (n, 4): of `token` and each token q·k, q·k/√32,
    exp(q·k/√32 - max), and the weight; pair (3, 32): q of `token`, k of `to`, their products; parts (m, 32): weight × v
    of the tokens with the largest weights, of all others together if there are any, and last the sum, which is the
    head's output; which (m - 1,): the tokens of `parts`, -1 for the others together; at: layer, head, token, to, all
    from 0. A token beyond the end of the text stands for the last.
    """
    ids = tokens(p.text).ids
    token, to = min(token, len(ids) - 1), min(to, len(ids) - 1)
    layer, number = (int(part) - 1 for part in chosen.split("."))
    of_layer = encoder(device).attend(layer, encode(ids, p.heads_off, device).inputs[layer])
    every = (of_layer.q, of_layer.k, of_layer.v, of_layer.scores, of_layer.weights, of_layer.out)
    q, k, v, scores, weights, out = (of_heads[0, number] for of_heads in every)
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
    """As float32 on the host."""
    array: np.ndarray = tensor.float().cpu().numpy()
    return array


def attribution(p: Params, other: int, device: str) -> Arrays:
    """Which tokens the similarity to one other sentence comes from, beside the attention that they get.

    rows (n, 2): the mean attention to a token, over all heads and all tokens that attend; its integrated gradient
    (Sundararajan et al., 2017), summed over its vector. The path is a straight line from [PAD] at every place but those
    of [CLS] and [SEP] to the text; the integral is a Gauss-Legendre sum. ends: the similarity at both ends of the path;
    their difference is the sum of the attributions, but for the error of the quadrature. other: which sentence.
    """
    sentences = p.sentences
    other = min(other, len(sentences) - 1)
    ids = tokens(p.text).ids
    n = len(ids)
    on = switches(p.heads_off, device)
    model = encoder(device)
    target = sentence_embeddings(sentences, device)[other].clone()

    def similarity(x: Tensor) -> Tensor:
        inputs, _ = model.layers(model.embed(x), on)
        return sentence_embedding(inputs[-1]) @ target

    with torch.no_grad():
        text = model.look_up(torch.tensor([ids], device=device))
        base = model.look_up(torch.tensor([[ids[0], *[0] * (n - 2), ids[-1]]], device=device))
        _, attention = model.layers(model.embed(text), on)
        received = torch.cat([layer.weights[0] for layer in attention]).mean((0, 1))
    points, weights = np.polynomial.legendre.leggauss(max(6, min(32, PATH // n)))
    total = torch.zeros_like(text)
    for batch in np.array_split(np.arange(len(points)), math.ceil(len(points) * n / BATCH)):
        along = torch.tensor((points[batch] + 1) / 2, dtype=text.dtype, device=device)[:, None, None]
        weight = torch.tensor(weights[batch] / 2, dtype=text.dtype, device=device)[:, None, None]
        x = (base + along * (text - base)).requires_grad_()
        (gradient,) = torch.autograd.grad(similarity(x).sum(), x)
        total += (weight * gradient).sum(0)
    with torch.no_grad():
        ends = [float(similarity(end)[0]) for end in (base, text)]
    attributions = ((text - base) * total)[0].sum(-1)
    return {
        "rows": np.stack([host(received), host(attributions)], 1),
        "ends": np.array(ends, np.float32),
        "other": np.array(other, np.int32),
    }
