"""Measurements on held-out sequences: how well the network does, what each head looks at, and what it is worth."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from engine.types import Array, Arrays, Scalars
from lessons.attention_learned.batches import inputs, solutions
from lessons.attention_learned.model import Transformer
from lessons.attention_learned.params import JOBS
from lessons.attention_learned.task import sources

PROBES = 64  # held-out sequences on which every head is measured, and switched off in turn
DECIMALS = 5  # of weights and probabilities in frames and answers: as many as are shown, and they compress well


def head_name(index: int, heads: int) -> str:
    """Head `index`, counted from 0 through all layers of `heads` heads each, as "layer.head", each counted from 1."""
    return f"{index // heads + 1}.{index % heads + 1}"


def switches(model: Transformer, device: torch.device) -> Tensor:
    """(1 + heads, layers, heads): 1 for a head that is on, 0 for one that is off. All on, then each off in turn."""
    layers, heads = model.shape.layers, model.shape.heads
    off = 1 - torch.eye(layers * heads, device=device).view(-1, layers, heads)
    return torch.cat([torch.ones(1, layers, heads, device=device), off])


def ablate(model: Transformer, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """Runs `tokens` (n, places) with all heads on and with each head off.

    Returns scores (1 + heads, n, places, symbols), and the attention weights with all heads on, (n, layers, heads,
    places, places).
    """
    on = switches(model, tokens.device)
    scores, weights = model(tokens.repeat(len(on), 1), on.repeat_interleave(len(tokens), 0))
    return scores.unflatten(0, (len(on), len(tokens))), weights[: len(tokens)]


@torch.no_grad()
def check(model: Transformer, task: str, held_out: Tensor) -> Scalars:
    """Scalars on the held-out sequences (n, length).

    val_loss; val_accuracy, the share of symbols that are right; val_exact, the share of sequences without a mistake.
    On the first PROBES of them: "off.none", the loss with all heads on; "off.L.H", with head H of layer L off;
    "JOB.L.H", the `job_scores`; and "top.JOB", "top.JOB.layer", "top.JOB.head", the head that does a job most.
    """
    length, bar = held_out.shape[1], model.shape.symbols
    answers = solutions(task, held_out)
    scores = model(inputs(held_out, answers, bar))[0][:, length:]
    right = scores.argmax(2) == answers
    scalars = {
        "val_loss": F.cross_entropy(scores.flatten(0, 1), answers.flatten()).item(),
        "val_accuracy": right.float().mean().item(),
        "val_exact": right.all(1).float().mean().item(),
    }
    probes, wanted = held_out[:PROBES], answers[:PROBES]
    ablated, weights = ablate(model, inputs(probes, wanted, bar))
    source = torch.from_numpy(sources(task, probes.cpu().numpy()).copy()).to(held_out.device)
    for variant, variant_scores in enumerate(ablated[:, :, length:]):
        loss = F.cross_entropy(variant_scores.flatten(0, 1), wanted.flatten()).item()
        scalars[f"off.{head_name(variant - 1, model.shape.heads)}" if variant else "off.none"] = loss
    for job, table in job_scores(weights, source).items():
        shares = table.flatten().tolist()
        best = int(np.argmax(shares))
        layer, head = divmod(best, model.shape.heads)
        scalars |= {f"top.{job}": shares[best], f"top.{job}.layer": layer + 1.0, f"top.{job}.head": head + 1.0}
        scalars |= {f"{job}.{head_name(index, model.shape.heads)}": share for index, share in enumerate(shares)}
    return scalars


def job_scores(weights: Tensor, source: Tensor) -> dict[str, Tensor]:
    """The share of its attention, 0 to 1, that each head gives to each of JOBS, (layers, heads) each.

    weights (n, layers, heads, places, places); source (n, length, length) is `task.sources`. The jobs are "source":
    from each place of the answer to where the symbol to be written stands; "previous": to the place before; "itself":
    to the place itself; "bar": from the places after the bar to the bar. They are means over sequences and over the
    places that can do the job.
    """
    length = source.shape[1]
    to_source = (weights[..., length:, :length] * source[:, None, None]).sum(4)
    scores = {
        "source": to_source.mean((0, 3)),
        "previous": weights.diagonal(-1, 3, 4).mean((0, 3)),
        "itself": weights.diagonal(0, 3, 4)[..., 1:].mean((0, 3)),
        "bar": weights[..., length + 1 :, length].mean((0, 3)),
    }
    return {job: scores[job] for job in JOBS}


@torch.no_grad()
def frame(model: Transformer, task: str, example: Tensor) -> Arrays:
    """One sequence (1, length) in the network.

    `weights` (heads, 2 length, 2 length): of the heads of all layers. With all heads on and with each off, (1 + heads,
    length) each: `letters`, the likeliest symbol at each place of the answer; `chances`, the right one's probability.
    """
    answers = solutions(task, example)
    scores, weights = ablate(model, inputs(example, answers, model.shape.symbols))
    probabilities = scores[:, 0, example.shape[1] :].softmax(2)
    right = answers.expand(len(probabilities), -1)[:, :, None]
    return {
        "weights": rounded(weights[0].flatten(0, 1)),
        "letters": probabilities.argmax(2).to(torch.uint8).cpu().numpy(),
        "chances": rounded(probabilities.gather(2, right)[:, :, 0]),
    }


def rounded(values: Tensor) -> Array:
    """On the host, to DECIMALS."""
    return np.round(values.cpu().numpy(), DECIMALS)
