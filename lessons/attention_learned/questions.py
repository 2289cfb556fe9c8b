"""What can be asked about one moment of a run."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from engine.params import int_arg, parse
from engine.types import Arrays, Checkpoint, Job, Problem, Values
from lessons.attention_learned.batches import inputs, solutions
from lessons.attention_learned.heads import head_name, rounded
from lessons.attention_learned.model import Transformer, load
from lessons.attention_learned.params import Params
from lessons.attention_learned.task import LETTERS, held_out, read, sources

SHOWN = 6  # held-out sequences in the answer to "head" and "off"


@torch.no_grad()
def look(job: Job, state: Checkpoint | None, name: str, args: Values) -> Arrays:
    """Answers the query `name` with a checkpoint's network.

    "head"  head, row, col  the held-out sequences with and without that head; and q, k, their score and the weight
                            in one cell of its map of the example (by default, of the first symbol written)
    "off"   off             the held-out sequences with and without several heads, such as ["1.1", "2.1"], together
    "own"   own             a learner's sequence: what is written after it, and every head's map

    Raises Problem for arguments that are not of that form, and where there is no checkpoint.
    """
    p = parse(Params, job.params)
    if name not in ("head", "off", "own"):
        raise Problem(f"This lesson has no answer to {name!r:.40}.", f"本课无法回答 {name!r:.40}。")
    if not state:
        raise Problem(
            "There is no network to ask yet. Start a run first.",
            "还没有可以询问的网络。请先开始一次训练。",
        )
    model = load(state)
    step = {"step": np.array(int(state["at.step"]))}
    if name == "own":
        return step | own_sequence(model, p, args.get("own"))
    sequences, last = held_out(p), 2 * p.length - 1
    known = torch.from_numpy(sequences)
    if name == "off":
        return step | without(model, p.task, known, head_numbers(model, args.get("off")))
    args = {"row": p.length, "col": int(sources(p.task, sequences[:1])[0, 0].argmax()), **args}
    largest = {"head": model.count - 1, "row": last, "col": last}
    head, row, col = (int_arg(args, key, 0, most) for key, most in largest.items())
    return step | without(model, p.task, known, [head]) | cell(model, p.task, known[:1], head, row, col)


def head_numbers(model: Transformer, names: Any) -> list[int]:
    """Heads named "layer.head" as numbers from 0 through all layers, in order. Raises Problem for unknown names."""
    layers, heads = model.shape.layers, model.shape.heads
    known = [head_name(index, heads) for index in range(model.count)]
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise Problem(
            f"off = {names!r:.40} is not a list of heads, such as 1.1 and 2.1.",
            f"off = {names!r:.40} 不是注意力头的列表（例如 1.1 和 2.1）。",
        )
    strange = next((name for name in names if name not in known), "")
    if strange:
        raise Problem(
            f"The network on the board has no head {strange:.10}: its {layers} layers have {heads} heads each, from "
            f"{known[0]} to {known[-1]}. Choose among them, or run with more.",
            f"当前的网络没有头 {strange:.10}：它有 {layers} 层，每层 {heads} 个头，从 {known[0]} 到 {known[-1]}。"
            "请从中选择，或增加后重新运行。",
        )
    return sorted({known.index(name) for name in names})


def without(model: Transformer, task: str, sequences: Tensor, heads: list[int]) -> Arrays:
    """The network as it is, and with the outputs of some heads set to zero together, on sequences (n, length).

    heads (m,): which; loss, accuracy, exact (2,); of the first SHOWN sequences: sequences, answers (SHOWN, length),
    letters (2, SHOWN, length) and chances (2, SHOWN, length), the right symbol's probability; count: n.
    """
    length = sequences.shape[1]
    answers = solutions(task, sequences)
    tokens = inputs(sequences, answers, model.shape.symbols)
    on = torch.ones(2, model.count, device=sequences.device)
    on[1, heads] = 0
    on = on.view(2, model.shape.layers, model.shape.heads)
    scores = torch.stack([model(tokens, variant[None])[0][:, length:] for variant in on])
    right = scores.argmax(3) == answers
    chances = scores.softmax(3).gather(3, answers.expand(2, -1, -1)[..., None])[..., 0]
    return {
        "heads": np.array(heads, np.int32),
        "loss": np.array([F.cross_entropy(variant.flatten(0, 1), answers.flatten()).item() for variant in scores]),
        "accuracy": right.float().mean((1, 2)).numpy(),
        "exact": right.all(2).float().mean(1).numpy(),
        "sequences": sequences[:SHOWN].numpy(),
        "answers": answers[:SHOWN].numpy(),
        "letters": scores.argmax(3)[:, :SHOWN].numpy(),
        "chances": rounded(chances[:, :SHOWN]),
        "count": np.array(len(sequences)),
    }


def cell(model: Transformer, task: str, example: Tensor, head: int, row: int, col: int) -> Arrays:
    """One cell of a head's map of the example (1, length): q of place `row` and k of place `col`, (width of a head,)
    each, their score q·k / √d, and the weight that comes of it.
    """
    tokens = inputs(example, solutions(task, example), model.shape.symbols)
    layer, number = divmod(head, model.shape.heads)
    x = model.embedded(tokens)
    for before in list(model.blocks)[:layer]:
        x, _ = before(x)
    block: Any = model.blocks[layer]
    queries, keys, _ = block.attention.split(block.norm(x))
    _, weights = block(x)
    q, k = queries[0, number, row], keys[0, number, col]
    return {
        "head": np.array(head),
        "row": np.array(row),
        "col": np.array(col),
        "q": q.numpy(),
        "k": k.numpy(),
        "score": np.array(float(q @ k) / math.sqrt(len(q)), np.float32),
        "weight": weights[0, number, row, col].numpy(),
    }


def own_sequence(model: Transformer, p: Params, text: Any) -> Arrays:
    """What the network writes after a learner's sequence of n symbols, each read back in before the next.

    letters, answers (n,): what it writes, what is right; chances (n,): the probability of the right symbol at each
    place; weights (heads, 2n, 2n): while it reads the sequence and the right answer. Raises Problem for symbols or a
    length that this network cannot read.
    """
    symbols = parse(Params, {"own": text if isinstance(text, str) else ""}).own
    known = LETTERS[: p.symbols]
    strange = next((letter for letter in symbols if letter not in known), "")
    if strange:
        raise Problem(
            f"The network on the board knows {known[0]} to {known[-1]}; {strange} is new to it. Type only those "
            "letters, or run with more symbols.",
            f"当前的网络只认识 {known[0]} 到 {known[-1]}，不认识 {strange}。请只用这些字母，或增加符号数后重新运行。",
        )
    if not symbols or len(symbols) > p.length:
        raise Problem(
            f"The network on the board has places for 1 to {p.length} symbols; {len(symbols)} were typed. Type fewer, "
            "or run with a greater length.",
            f"当前的网络能读 1 到 {p.length} 个符号，你输入了 {len(symbols)} 个。请缩短，或增大长度后重新运行。",
        )
    sequence = torch.from_numpy(read(symbols))[None]
    answers = solutions(p.task, sequence)
    bar = torch.full((1, 1), p.symbols)
    written, chances = torch.cat([sequence, bar], 1), []
    for place in range(sequence.shape[1]):
        probabilities = model(written)[0][:, -1].softmax(1)
        chances.append(probabilities[0, answers[0, place]])
        written = torch.cat([written, probabilities.argmax(1, keepdim=True)], 1)
    _, weights = model(inputs(sequence, answers, p.symbols))
    return {
        "sequence": sequence[0].numpy(),
        "answers": answers[0].numpy(),
        "letters": written[0, sequence.shape[1] + 1 :].numpy(),
        "chances": rounded(torch.stack(chances)),
        "weights": rounded(weights[0].flatten(0, 1)),
    }
