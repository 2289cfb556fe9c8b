"""A small transformer learns to copy, reverse or sort, with the loop in the open; and what can be asked of a moment."""

from __future__ import annotations

import math
from collections.abc import Generator
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from engine.params import int_arg, parse
from engine.types import Array, Arrays, Checkpoint, Job, Problem, Scalars, Step, Values
from lessons.attention_learned.model import Shape, Transformer
from lessons.attention_learned.params import JOBS, Params
from lessons.attention_learned.task import LETTERS, held_out, read, solution, sources

CHECK = 5  # steps between two looks at the held-out sequences
PROBES = 64  # held-out sequences on which every head is watched, and switched off in turn
SHOWN = 6  # held-out sequences in the answer to "without"
DECIMALS = 5  # of the weights and probabilities that travel to the page
BETAS = (0.9, 0.98)  # as in Vaswani and others, 2017
DECAY = 0.01
POSITIONS = ("learned", "sine", "none")


def run(job: Job, state: Checkpoint | None = None) -> Generator[Step, Values | None, None]:
    """Trains on sequences drawn afresh for each step, and yields after each.

    Scalars: loss and accuracy (symbols right) of the batch as it was before its step, lr; at step 0, every fifth and
    the last step those of `check`, on sequences that no batch ever holds.
    """
    p = parse(Params, job.params)
    device = torch.device("cpu" if job.device == "auto" else job.device)
    kept = torch.from_numpy(held_out(p))
    known = codes(kept, p.symbols)

    torch.manual_seed(job.seed)
    model = Transformer(shape(p)).to(device)
    optimiser = torch.optim.AdamW(model.parameters(), p.lr, BETAS, weight_decay=DECAY)
    generator = torch.Generator().manual_seed(job.seed)
    lr, moved, start = p.lr, False, 0
    if state is not None:
        start = restore(state, p, model, optimiser, generator)
        moved = "live.lr" in state
        lr = float(state["live.lr"]) if moved else lr

    def snapshot(step: int) -> Checkpoint:
        out = marks(p) | to_arrays("model", model.state_dict()) | optimiser_state(optimiser)
        out |= {"live.lr": np.array(lr)} if moved else {}
        return out | {"at.step": np.array(step), "rng.own": generator.get_state().numpy().copy()}

    def moment(step: int, scalars: Scalars) -> Step:
        if step % CHECK == 0 or step == p.steps:
            scalars |= check(model, p.task, kept.to(device))
        return Step(step, scalars, p.steps, partial(frame, model, p.task, kept[:1].to(device)), partial(snapshot, step))

    changes = (yield moment(0, {"lr": rate(p, lr, 0)})) if state is None else None
    for step in range(start + 1, p.steps + 1):
        if changes and "lr" in changes:
            lr, moved = float(changes["lr"]), True
        for group in optimiser.param_groups:
            group["lr"] = rate(p, lr, step)
        sequences = fresh(p, known, generator).to(device)
        answers = solved(p.task, sequences)

        scores, _ = model(tokens(sequences, answers, p.symbols))
        guesses = scores[:, p.length :]  # what each place from the bar on says comes next
        loss = F.cross_entropy(guesses.flatten(0, 1), answers.flatten())
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()

        scalars = {
            "loss": loss.item(),
            "accuracy": (guesses.argmax(2) == answers).float().mean().item(),
            "lr": rate(p, lr, step),
        }
        if not math.isfinite(scalars["loss"]):
            raise Problem(
                f"At step {step} the loss stopped being a finite number: with a learning rate of {lr:.3g} the steps "
                f"were too large. Try {lr / 10:.2g}, or a longer warm-up.",
                f"第 {step} 步时损失不再是有限的数：学习率 {lr:.3g} 让步子太大了。请试试 {lr / 10:.2g}，或延长预热。",
            )
        changes = yield moment(step, scalars)


def shape(p: Params) -> Shape:
    """The network the settings ask for: it reads a sequence, the bar, and all of the answer but its last symbol."""
    return Shape(p.symbols, 2 * p.length, p.layers, p.heads, p.width, p.positions, p.mlp)


def rate(p: Params, lr: float, step: int) -> float:
    """The learning rate of a step: rising in a straight line for `warmup` steps, then level."""
    return lr * min(1.0, step / p.warmup) if p.warmup else lr


def codes(sequences: Tensor, symbols: int) -> Tensor:
    """One whole number for each sequence (n, length); at most 16 ** 12, so that none is lost."""
    return (sequences * symbols ** torch.arange(sequences.shape[1])).sum(1)


def fresh(p: Params, known: Tensor, generator: torch.Generator) -> Tensor:
    """A batch of random sequences (batch, length); one that is held out is drawn again until it is another."""
    sequences = torch.randint(p.symbols, (p.batch, p.length), generator=generator)
    while (again := torch.isin(codes(sequences, p.symbols), known)).any():
        sequences[again] = torch.randint(p.symbols, (int(again.sum()), p.length), generator=generator)
    return sequences


def solved(task: str, sequences: Tensor) -> Tensor:
    """What is to be written after each sequence (n, length)."""
    return torch.from_numpy(solution(task, sequences.cpu().numpy())).to(sequences.device)


def tokens(sequences: Tensor, answers: Tensor, bar: int) -> Tensor:
    """What the network reads (n, 2 length): the sequence, the bar, the answer without its last symbol."""
    bars = torch.full((len(sequences), 1), bar, device=sequences.device)
    return torch.cat([sequences, bars, answers[:, :-1]], 1)


def switched(model: Transformer, device: torch.device) -> Tensor:
    """(1 + heads, layers, heads): all heads on, then each of them off, layer by layer."""
    layers, heads = model.shape.layers, model.shape.heads
    off = 1 - torch.eye(layers * heads, device=device).view(-1, layers, heads)
    return torch.cat([torch.ones(1, layers, heads, device=device), off])


def one_by_one(model: Transformer, read: Tensor) -> tuple[Tensor, Tensor]:
    """Scores (1 + heads, n, places, symbols) with all heads on and with each off; and the weights with all on.

    The weights are (n, layers, heads, places, places).
    """
    on = switched(model, read.device)
    scores, weights = model(read.repeat(len(on), 1), on.repeat_interleave(len(read), 0))
    return scores.unflatten(0, (len(on), len(read))), weights[: len(read)]


@torch.no_grad()
def check(model: Transformer, task: str, kept: Tensor) -> Scalars:
    """How well it does on the held-out sequences, what each head looks at, and what the loss is without it.

    val_loss, val_accuracy (symbols right), val_exact (sequences without a mistake); on the first 64 of them
    "off.none", the loss with all heads on, "off.L.H" with head H of layer L off, and the scores of `jobs`; of each
    job the head that does it most, as "top.JOB", "top.JOB.layer", "top.JOB.head".
    """
    length, bar = kept.shape[1], model.shape.symbols
    answers = solved(task, kept)
    guesses = model(tokens(kept, answers, bar))[0][:, length:]
    right = guesses.argmax(2) == answers
    out = {
        "val_loss": F.cross_entropy(guesses.flatten(0, 1), answers.flatten()).item(),
        "val_accuracy": right.float().mean().item(),
        "val_exact": right.all(1).float().mean().item(),
    }
    probes, wanted = kept[:PROBES], answers[:PROBES]
    scores, weights = one_by_one(model, tokens(probes, wanted, bar))
    found = jobs(weights, torch.from_numpy(sources(task, probes.cpu().numpy()).copy()).to(kept.device))
    for variant, one in enumerate(scores[:, :, length:]):
        loss = F.cross_entropy(one.flatten(0, 1), wanted.flatten()).item()
        out[f"off.{named(variant - 1, model.shape.heads)}" if variant else "off.none"] = loss
    for job, table in found.items():
        flat = table.flatten().tolist()
        most = int(np.argmax(flat))
        layer, head = divmod(most, model.shape.heads)
        out |= {f"top.{job}": flat[most], f"top.{job}.layer": layer + 1.0, f"top.{job}.head": head + 1.0}
        out |= {f"{job}.{named(index, model.shape.heads)}": value for index, value in enumerate(flat)}
    return out


def named(index: int, heads: int) -> str:
    """Heads are counted through all layers from 0, and called "layer.head", each from 1."""
    return f"{index // heads + 1}.{index % heads + 1}"


def jobs(weights: Tensor, source: Tensor) -> dict[str, Tensor]:
    """How much of its attention each head gives to a job, (layers, heads) for each of JOBS, from 0 to 1.

    weights (n, layers, heads, places, places); source (n, length, length) as `task.sources` says. source: from each
    place of the answer to where the symbol to be written stands; previous: to the place before; itself: to the place
    that looks; bar: from the places after the bar to the bar. Means over sequences and over the places that can.
    """
    length = source.shape[1]
    written = (weights[..., length:, :length] * source[:, None, None]).sum(4)
    found = {
        "source": written.mean((0, 3)),
        "previous": weights.diagonal(-1, 3, 4).mean((0, 3)),
        "itself": weights.diagonal(0, 3, 4)[..., 1:].mean((0, 3)),
        "bar": weights[..., length + 1 :, length].mean((0, 3)),
    }
    return {job: found[job] for job in JOBS}


@torch.no_grad()
def frame(model: Transformer, task: str, example: Tensor) -> Arrays:
    """The example (1, length) in one moment.

    weights (heads, 2 length, 2 length) of all layers' heads; and, with all heads on and with each off (1 + heads),
    letters: the likeliest symbol at each place of the answer, and chances: the probability of the right one.
    """
    answers = solved(task, example)
    scores, weights = one_by_one(model, tokens(example, answers, model.shape.symbols))
    guesses = scores[:, 0, example.shape[1] :].softmax(2)
    right = answers.expand(len(guesses), -1)[:, :, None]
    return {
        "weights": rounded(weights[0].flatten(0, 1)),
        "letters": guesses.argmax(2).to(torch.uint8).cpu().numpy(),
        "chances": rounded(guesses.gather(2, right)[:, :, 0]),
    }


def rounded(values: Tensor) -> Array:
    """To five decimals, which a page shows and a record packs well."""
    return np.round(values.cpu().numpy(), DECIMALS)


def to_arrays(start: str, tensors: dict[str, Tensor]) -> Checkpoint:
    """Copies on the host, so that training on does not change a snapshot."""
    return {f"{start}.{name}": np.array(tensor.detach().cpu().numpy()) for name, tensor in tensors.items()}


def optimiser_state(optimiser: torch.optim.Optimizer) -> Checkpoint:
    """The moments of the weight numbered 3 as "optim.3.exp_avg", "optim.3.exp_avg_sq"; its steps as "optim.3.step"."""
    every = optimiser.state_dict()["state"]
    return to_arrays("optim", {f"{i}.{name}": value for i, one in every.items() for name, value in one.items()})


def restore(
    state: Checkpoint, p: Params, model: Transformer, optimiser: torch.optim.Optimizer, generator: torch.Generator
) -> int:
    """Puts a snapshot back and returns its step. Raises Problem for another network; another task may go on from it."""
    if not np.array_equal(state.get("made", 0), marks(p)["made"]):
        raise Problem(
            "A run can go on with another task or learning rate, but not with another length, alphabet or network: "
            "its weights would not fit. Start a new run.",
            "可以换任务或学习率接着训练，但不能换长度、符号数或网络：原来的权重对不上。请重新开始一次训练。",
        )
    model.load_state_dict(weights_of(state))
    own = optimiser.state_dict()
    found: dict[int, dict[str, Tensor]] = {}
    for name, array in state.items():
        if name.startswith("optim."):
            _, number, buffer = name.split(".")
            found.setdefault(int(number), {})[buffer] = torch.from_numpy(np.array(array))
    optimiser.load_state_dict({**own, "state": found})
    generator.set_state(torch.from_numpy(np.array(state["rng.own"])))
    return int(state["at.step"])


def marks(p: Params) -> Checkpoint:
    """What a snapshot says about its network, so that `load` can build it again."""
    numbers = [p.symbols, 2 * p.length, p.layers, p.heads, p.width, POSITIONS.index(p.positions), p.mlp]
    return {"made": np.array(numbers, np.int64)}


def load(state: Checkpoint) -> Transformer:
    """The network kept in a snapshot of this lesson. Raises Problem if it is not of this lesson."""
    try:
        symbols, places, layers, heads, width, positions, mlp = (int(one) for one in state["made"])
        # The random start is replaced at once, so it must not move the generator that a run in progress draws from.
        with torch.random.fork_rng(devices=[]):
            model = Transformer(Shape(symbols, places, layers, heads, width, POSITIONS[positions], bool(mlp)))
        model.load_state_dict(weights_of(state))
    except (KeyError, ValueError, IndexError, RuntimeError) as error:
        raise Problem(
            "This kept network is not one of this lesson's, or of another version of it. Train one anew.",
            "这个保存的网络不是本课训练的，或出自另一个版本。请重新训练一个。",
        ) from error
    return model


def weights_of(state: Checkpoint) -> dict[str, Tensor]:
    """The tensors of a snapshot's network by their names in torch."""
    start = "model."
    return {
        name.removeprefix(start): torch.from_numpy(np.array(array))
        for name, array in state.items()
        if name.startswith(start)
    }


# --- questions ----------------------------------------------------------------------------------------------------


@torch.no_grad()
def look(job: Job, state: Checkpoint | None, name: str, args: Values) -> Arrays:
    """Answers about one moment of a run.

    "head"  head, row, col  the held-out sequences with and without that head; and q, k, their score and the weight
                            in one cell of its map of the example (unless told, the first symbol written)
    "off"   off             the held-out sequences with and without several heads, named as in "2.1", together
    "own"   own             a learner's sequence: what is written after it, and every head's map
    Raises Problem for arguments that are not of that form.
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
    found = {"step": np.array(int(state["at.step"]))}
    if name == "own":
        return found | own(model, p, args.get("own"))
    kept, last = held_out(p), 2 * p.length - 1
    if name == "off":
        return found | without(model, p.task, torch.from_numpy(kept), numbered(model, args.get("off")))
    args = {"row": p.length, "col": int(sources(p.task, kept[:1])[0, 0].argmax()), **args}
    head, row, col = (
        int_arg(args, one, 0, most) for one, most in (("head", model.count - 1), ("row", last), ("col", last))
    )
    known = torch.from_numpy(kept)
    return found | without(model, p.task, known, [head]) | pair(model, p.task, known[:1], head, row, col)


def numbered(model: Transformer, names: Any) -> list[int]:
    """Heads, named "layer.head", by their numbers. Raises Problem for one that this network does not have."""
    layers, heads = model.shape.layers, model.shape.heads
    known = [named(index, heads) for index in range(model.count)]
    if not isinstance(names, list) or not names or not all(isinstance(one, str) for one in names):
        raise Problem(
            f"off = {names!r:.40} is not a list of heads, such as 1.1 and 2.1.",
            f"off = {names!r:.40} 不是注意力头的列表（例如 1.1 和 2.1）。",
        )
    strange = next((one for one in names if one not in known), "")
    if strange:
        raise Problem(
            f"The network on the board has no head {strange:.10}: its {layers} layers have {heads} heads each, from "
            f"{known[0]} to {known[-1]}. Choose among them, or run with more.",
            f"当前的网络没有头 {strange:.10}：它有 {layers} 层，每层 {heads} 个头，从 {known[0]} 到 {known[-1]}。"
            "请从中选择，或增加后重新运行。",
        )
    return sorted({known.index(one) for one in names})


def without(model: Transformer, task: str, kept: Tensor, heads: list[int]) -> Arrays:
    """The network as it is and with the outputs of some heads set to zero together, on all held-out sequences.

    heads (m,): which; loss, accuracy, exact (2,); of the first few sequences: sequences, answers (n, length), letters
    (2, n, length) and chances (2, n, length), the probability of the right symbol.
    """
    length = kept.shape[1]
    answers = solved(task, kept)
    read = tokens(kept, answers, model.shape.symbols)
    on = torch.ones(2, model.count, device=kept.device)
    on[1, heads] = 0
    on = on.view(2, model.shape.layers, model.shape.heads)
    guesses = torch.stack([model(read, one[None])[0][:, length:] for one in on])
    right = guesses.argmax(3) == answers
    chances = guesses.softmax(3).gather(3, answers.expand(2, -1, -1)[..., None])[..., 0]
    return {
        "heads": np.array(heads, np.int32),
        "loss": np.array([F.cross_entropy(one.flatten(0, 1), answers.flatten()).item() for one in guesses]),
        "accuracy": right.float().mean((1, 2)).numpy(),
        "exact": right.all(2).float().mean(1).numpy(),
        "sequences": kept[:SHOWN].numpy(),
        "answers": answers[:SHOWN].numpy(),
        "letters": guesses.argmax(3)[:, :SHOWN].numpy(),
        "chances": rounded(chances[:, :SHOWN]),
        "count": np.array(len(kept)),
    }


def pair(model: Transformer, task: str, example: Tensor, head: int, row: int, col: int) -> Arrays:
    """Why place `row` takes so much from place `col`, in one head: q and k (width of a head,), score and weight."""
    read = tokens(example, solved(task, example), model.shape.symbols)
    layer, number = divmod(head, model.shape.heads)
    x = model.embedded(read)
    for before in list(model.blocks)[:layer]:
        x, _ = before(x)
    block: Any = model.blocks[layer]
    q, k, _ = block.attention.split(block.norm(x))
    _, weights = block(x)
    one, other = q[0, number, row], k[0, number, col]
    return {
        "head": np.array(head),
        "row": np.array(row),
        "col": np.array(col),
        "q": one.numpy(),
        "k": other.numpy(),
        "score": np.array(float(one @ other) / math.sqrt(len(one)), np.float32),
        "weight": weights[0, number, row, col].numpy(),
    }


def own(model: Transformer, p: Params, text: Any) -> Arrays:
    """What the trained network writes after a learner's sequence, each symbol read back in before the next.

    letters, answers (n,); chances (n,): the probability of the right symbol at each place; weights (heads, 2n, 2n)
    while it reads the sequence and the right answer. Raises Problem for what this network cannot read.
    """
    letters = parse(Params, {"own": text if isinstance(text, str) else ""}).own
    known = LETTERS[: p.symbols]
    strange = next((one for one in letters if one not in known), "")
    if strange:
        raise Problem(
            f"The network on the board knows {known[0]} to {known[-1]}; {strange} is new to it. Type only those "
            "letters, or run with more symbols.",
            f"当前的网络只认识 {known[0]} 到 {known[-1]}，不认识 {strange}。请只用这些字母，或增加符号数后重新运行。",
        )
    if not letters or len(letters) > p.length:
        raise Problem(
            f"The network on the board has places for 1 to {p.length} symbols; {len(letters)} were typed. Type fewer, "
            "or run with a greater length.",
            f"当前的网络能读 1 到 {p.length} 个符号，你输入了 {len(letters)} 个。请缩短，或增大长度后重新运行。",
        )
    sequence = torch.from_numpy(read(letters))[None]
    answers = solved(p.task, sequence)
    bar = torch.full((1, 1), p.symbols)
    written, chances = torch.cat([sequence, bar], 1), []
    for place in range(sequence.shape[1]):
        guess = model(written)[0][:, -1].softmax(1)
        chances.append(guess[0, answers[0, place]])
        written = torch.cat([written, guess.argmax(1, keepdim=True)], 1)
    _, weights = model(tokens(sequence, answers, p.symbols))
    return {
        "sequence": sequence[0].numpy(),
        "answers": answers[0].numpy(),
        "letters": written[0, sequence.shape[1] + 1 :].numpy(),
        "chances": rounded(torch.stack(chances)),
        "weights": rounded(weights[0].flatten(0, 1)),
    }
