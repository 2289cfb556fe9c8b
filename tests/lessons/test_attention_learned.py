"""The lesson in which attention is learned tells the truth: maps, losses and ablations are recomputed another way."""

from __future__ import annotations

import contextlib
import io
import itertools
import math
import re
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from engine.params import parse
from engine.types import Checkpoint, Job, Problem, Step, Tick
from lessons import catalog, text
from lessons.attention_learned import compute, figures
from lessons.attention_learned.batches import codes, draw, inputs, solutions
from lessons.attention_learned.heads import PROBES
from lessons.attention_learned.model import Attention, Shape, Transformer, load
from lessons.attention_learned.params import JOBS, PRESETS, TASKS, TINY, Params
from lessons.attention_learned.questions import SHOWN, look
from lessons.attention_learned.task import BAR, LETTERS, held_out, read, solution, sources, tokens
from lessons.board import figures as board
from lessons.board.fold import fold

NAME = "attention_learned"
SHAPES: list[dict[str, Any]] = [
    {},
    {"task": "copy", "heads": 1, "layers": 1},
    {"task": "sort", "mlp": True, "heads": 3, "layers": 3, "positions": "sine"},
    {"positions": "none", "heads": 8, "width": 8},
    {"length": 2, "symbols": 2, "heads": 5, "width": 24},
]


pytestmark = pytest.mark.usefixtures("one_thread")


def params(**changes: Any) -> Params:
    return parse(Params, {**TINY.model_dump(), **changes})


def job(**changes: Any) -> Job:
    settings = params(**changes)
    return Job(catalog.lesson(NAME).entry, settings.model_dump(mode="json"), settings.seed, "cpu")


def steps(state: Checkpoint | None = None, **changes: Any) -> list[Step]:
    return list(compute.run(job(**changes), state))


def at(step: int, **changes: Any) -> Step:
    """The run at `step`, with its frame and state as they are then."""
    return moments(tuple(sorted(changes.items())))[step]


@lru_cache
def moments(changes: tuple[tuple[str, Any], ...]) -> list[Step]:
    """Every step of a run, its frame and state taken when it was made."""
    found = []
    for one in compute.run(job(**dict(changes))):
        shown, state = one.frame(), one.state()
        found.append(Step(one.step, one.scalars, one.total, partial(dict, shown), partial(dict, state)))
    return found


@lru_cache
def trained() -> tuple[Step, Checkpoint, dict[str, Any]]:
    """The default run at its end: what the texts speak of."""
    settings = Params()
    *_, end = compute.run(Job(catalog.lesson(NAME).entry, settings.model_dump(mode="json"), settings.seed, "cpu"))
    return end, end.state(), end.frame()


def default_job() -> Job:
    return Job(catalog.lesson(NAME).entry, Params().model_dump(mode="json"), 0, "cpu")


def by_hand(model: Transformer, read: Tensor, *off: tuple[int, int]) -> tuple[Tensor, list[Tensor]]:
    """Scores and weights by F.scaled_dot_product_attention, head by head; those `off` lose their slices of W_O."""
    x = model.token(read) + model.place[: read.shape[1]]
    seen = []
    for layer, block in enumerate(model.blocks):
        attention: Any = block.attention
        inner = attention.query.weight.shape[0]
        d = inner // attention.heads
        normal = F.layer_norm(x, (x.shape[2],), block.norm.weight, block.norm.bias)  # type: ignore[union-attr,arg-type]
        maps, added = [], torch.zeros_like(x)
        for head in range(attention.heads):
            rows = slice(head * d, (head + 1) * d)
            q, k, v = (normal @ one.weight[rows].T for one in (attention.query, attention.key, attention.value))
            fetched = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            # with the unit vectors as values, what attention fetches are its weights
            places = torch.eye(read.shape[1]).expand(len(read), -1, -1)
            maps.append(F.scaled_dot_product_attention(q, k, places, is_causal=True))
            if (layer, head) not in off:
                added = added + fetched @ attention.out.weight[:, rows].T
        x = x + added
        if block.mlp is not None:
            x = x + block.mlp(x)  # type: ignore[operator]
        seen.append(torch.stack(maps, 1))
    return model.head(model.norm(x)), seen


# attention is attention


@pytest.mark.parametrize("changes", SHAPES)
def test_the_network_is_the_one_that_torch_computes(changes: dict[str, Any]) -> None:
    """At the start and after training: scores and all weights against F.scaled_dot_product_attention."""
    p = params(**changes)
    kept = torch.from_numpy(held_out(p)[:16])
    read = inputs(kept, solutions(p.task, kept), p.symbols)
    for step in (0, p.steps):
        model = load(at(step, **changes).state())
        scores, weights = model(read)
        wanted, seen = by_hand(model, read)
        assert torch.allclose(scores, wanted, atol=1e-5)
        for layer, maps in enumerate(seen):
            assert torch.allclose(weights[:, layer], maps, atol=1e-5)
        assert torch.allclose(weights.sum(4), torch.ones(()), atol=1e-5)
        later = torch.ones(read.shape[1], read.shape[1]).triu(1).bool()
        assert (weights[..., later] == 0).all()


def test_attention_is_torchs_own_layer_with_the_same_weights() -> None:
    torch.manual_seed(1)
    ours, theirs = Attention(24, 3), torch.nn.MultiheadAttention(24, 3, bias=False, batch_first=True)
    theirs.in_proj_weight.data.copy_(torch.cat([ours.query.weight, ours.key.weight, ours.value.weight]))
    theirs.out_proj.weight.data.copy_(ours.out.weight)
    x = torch.randn(2, 7, 24)
    mask = torch.ones(7, 7).triu(1).bool()
    wanted, weights = theirs(x, x, x, attn_mask=mask, average_attn_weights=False)
    found, maps = ours(x)
    assert torch.allclose(found, wanted, atol=1e-5)
    assert torch.allclose(maps, weights, atol=1e-5)


def test_a_place_never_depends_on_what_comes_later() -> None:
    model = load(at(20).state())
    one = torch.randint(6, (1, 8), generator=torch.Generator().manual_seed(0))
    other = one.clone()
    other[0, 5] = (other[0, 5] + 1) % 6
    assert torch.equal(model(one)[0][:, :5], model(other)[0][:, :5])
    assert not torch.equal(model(one)[0][:, 5:], model(other)[0][:, 5:])


def test_sine_positions_are_the_papers() -> None:
    model = Transformer(Shape(4, 12, 1, 1, 8, "sine", False))
    for place, number in itertools.product(range(12), range(8)):
        angle = place / 10_000 ** (number // 2 * 2 / 8)
        wanted = math.cos(angle) if number % 2 else math.sin(angle)
        assert float(model.place[place, number]) == pytest.approx(wanted, abs=1e-5)
    assert "place" not in dict(model.named_parameters())


# switching heads off


@pytest.mark.parametrize("changes", SHAPES)
def test_a_head_off_is_its_slice_of_the_output_matrix_zeroed(changes: dict[str, Any]) -> None:
    """The page's letters, probabilities and losses with each head off, recomputed two other ways."""
    p = params(**changes)
    end = at(p.steps, **changes)
    state, shown = end.state(), end.frame()
    kept = torch.from_numpy(held_out(p))
    answers = solutions(p.task, kept)
    read = inputs(kept, answers, p.symbols)
    for head in range(p.layers * p.heads):
        layer, number = divmod(head, p.heads)
        cut = load(state)
        attention: Any = cut.blocks[layer].attention
        d = attention.query.weight.shape[0] // p.heads
        with torch.no_grad():
            attention.out.weight[:, number * d : (number + 1) * d] = 0
            scores = cut(read)[0][:, p.length :]
            other = by_hand(load(state), read, (layer, number))[0][:, p.length :]
        assert torch.allclose(scores, other, atol=1e-5)
        chances = scores.softmax(2).gather(2, answers[..., None])[..., 0]
        assert np.allclose(shown["chances"][1 + head], chances[0], atol=2e-5)
        assert (shown["letters"][1 + head] == scores[0].argmax(1).numpy()).all()
        probes = F.cross_entropy(scores[:PROBES].flatten(0, 1), answers[:PROBES].flatten())
        assert end.scalars[f"off.{layer + 1}.{number + 1}"] == pytest.approx(probes.item(), abs=1e-5)

        found = look(job(**changes), state, "head", {"head": head})
        right = scores.argmax(2) == answers
        assert found["loss"][1] == pytest.approx(
            F.cross_entropy(scores.flatten(0, 1), answers.flatten()).item(), abs=1e-5
        )
        assert found["accuracy"][1] == pytest.approx(right.float().mean().item(), abs=1e-6)
        assert found["exact"][1] == pytest.approx(right.all(1).float().mean().item(), abs=1e-6)
        assert np.allclose(found["chances"][1], chances[:SHOWN], atol=2e-5)
        assert (found["letters"][1] == scores[:SHOWN].argmax(2).numpy()).all()
        assert found["loss"][0] == pytest.approx(end.scalars["val_loss"], abs=1e-5)
        assert found["exact"][0] == pytest.approx(end.scalars["val_exact"], abs=1e-6)


def test_switching_off_leaves_the_weights_and_the_run_alone() -> None:
    state = at(20).state()
    before = {name: array.copy() for name, array in state.items()}
    for head in range(8):
        look(job(), state, "head", {"head": head})
    assert all(np.array_equal(state[name], before[name]) for name in state)


# every number on screen


@pytest.mark.parametrize("changes", SHAPES)
def test_what_a_frame_shows_is_recomputed_from_the_weights(changes: dict[str, Any]) -> None:
    p = params(**changes)
    for step in (0, 10, p.steps):
        one = at(step, **changes)
        model, shown = load(one.state()), one.frame()
        example = torch.from_numpy(held_out(p)[:1])
        answers = solutions(p.task, example)
        scores, seen = by_hand(model, inputs(example, answers, p.symbols))
        wanted = torch.cat([maps[0] for maps in seen]).detach().numpy()
        assert shown["weights"].shape == (p.layers * p.heads, 2 * p.length, 2 * p.length)
        assert np.allclose(shown["weights"], wanted, atol=1e-5)
        assert np.allclose(shown["weights"].sum(2), 1, atol=2e-4)  # sixteen or so numbers of five decimals
        assert (np.triu(shown["weights"], 1) == 0).all()
        guesses = scores[0, p.length :].softmax(1)
        assert (shown["letters"][0] == guesses.argmax(1).numpy()).all()
        assert np.allclose(shown["chances"][0], guesses.gather(1, answers[0][:, None])[:, 0].detach(), atol=1e-5)


@pytest.mark.parametrize("changes", SHAPES)
def test_what_is_measured_is_recomputed_place_by_place(changes: dict[str, Any]) -> None:
    """Held-out loss and accuracies, and every head's four jobs, with plain loops."""
    p = params(**changes)
    end = at(p.steps, **changes)
    model = load(end.state())
    kept = torch.from_numpy(held_out(p))
    answers = solutions(p.task, kept)
    with torch.no_grad():
        scores, seen = by_hand(model, inputs(kept, answers, p.symbols))
    guesses = scores[:, p.length :].log_softmax(2)
    loss = -np.mean([guesses[n, i, answers[n, i]] for n in range(len(kept)) for i in range(p.length)])
    right = guesses.argmax(2) == answers
    assert end.scalars["val_loss"] == pytest.approx(loss, abs=1e-5)
    assert end.scalars["val_accuracy"] == pytest.approx(float(right.float().mean()), abs=1e-6)
    assert end.scalars["val_exact"] == pytest.approx(np.mean([all(row) for row in right.tolist()]), abs=1e-6)
    probes = range(min(PROBES, len(kept)))
    wide = 2 * p.length
    for layer, head in itertools.product(range(p.layers), range(p.heads)):
        maps = seen[layer][:, head]
        jobs: dict[str, list[float]] = {job: [] for job in JOBS}
        for n in probes:
            for i in range(p.length):
                source = {"copy": [i], "reverse": [p.length - 1 - i]}.get(p.task)
                if source is None:
                    source = [j for j in range(p.length) if kept[n, j] == sorted(kept[n].tolist())[i]]
                jobs["source"].append(sum(float(maps[n, p.length + i, j]) for j in source))
            jobs["previous"] += [float(maps[n, i, i - 1]) for i in range(1, wide)]
            jobs["itself"] += [float(maps[n, i, i]) for i in range(1, wide)]
            jobs["bar"] += [float(maps[n, i, p.length]) for i in range(p.length + 1, wide)]
        for name, values in jobs.items():
            assert end.scalars[f"{name}.{layer + 1}.{head + 1}"] == pytest.approx(np.mean(values), abs=1e-5)
    for name in JOBS:
        mine = {key: value for key, value in end.scalars.items() if re.fullmatch(rf"{name}\.\d\.\d", key)}
        best = f"{name}.{end.scalars[f'top.{name}.layer']:.0f}.{end.scalars[f'top.{name}.head']:.0f}"
        assert end.scalars[f"top.{name}"] == mine[best] == max(mine.values())


def test_a_cell_is_its_query_times_its_key() -> None:
    changes: dict[str, Any] = {"mlp": True, "layers": 2, "heads": 3}
    p, state = params(**changes), at(30, **changes).state()
    shown = at(30, **changes).frame()["weights"]
    model = load(state)
    example = torch.from_numpy(held_out(p)[:1])
    read = inputs(example, solutions(p.task, example), p.symbols)
    entering: list[Tensor] = []
    for block in model.blocks:
        block.attention.register_forward_hook(lambda _m, given, _o: entering.append(given[0]))  # type: ignore[union-attr]
    model(read)
    for head, row in itertools.product((0, 4), (0, 4, 7)):
        layer, number = divmod(head, 3)
        attention: Any = model.blocks[layer].attention
        d = 16 // 3
        rows = slice(number * d, (number + 1) * d)
        scores = []
        for col in range(8):
            found = look(job(**changes), state, "head", {"head": head, "row": row, "col": col})
            assert np.allclose(
                found["q"], (entering[layer][0, row] @ attention.query.weight[rows].T).detach(), atol=1e-5
            )
            assert np.allclose(found["k"], (entering[layer][0, col] @ attention.key.weight[rows].T).detach(), atol=1e-5)
            assert found["score"] == pytest.approx(float(found["q"] @ found["k"]) / math.sqrt(d), abs=1e-5)
            assert found["weight"] == pytest.approx(shown[head, row, col], abs=1e-5)
            scores.append(float(found["score"]))
        soft = np.exp(scores[: row + 1]) / np.exp(scores[: row + 1]).sum()
        assert np.allclose(shown[head, row, : row + 1], soft, atol=2e-5)
    chosen = look(job(**changes), state, "head", {"head": 2})
    assert (int(chosen["row"]), int(chosen["col"])) == (p.length, p.length - 1)  # where the first symbol is fetched


def test_ones_own_sequence_is_written_symbol_by_symbol() -> None:
    _, state, _ = trained()
    model = load(state)
    for word in ("FACEBEAD", "JJJJJJJJ", "FACEBEA", "A", "bad cafe"):
        found = look(default_job(), state, "own", {"own": word})
        letters = word.upper().replace(" ", "")
        so_far = [*read(letters).tolist(), 10]
        for place, letter in enumerate(found["letters"]):
            scores, _ = by_hand(model, torch.tensor([so_far]))
            chances = scores[0, -1].softmax(0).detach()
            assert int(letter) == int(chances.argmax())
            assert found["chances"][place] == pytest.approx(float(chances[found["answers"][place]]), abs=1e-5)
            so_far.append(int(letter))
        assert "".join(LETTERS[one] for one in found["answers"]) == letters[::-1]
        given = torch.tensor([[*read(letters).tolist(), 10, *found["answers"][:-1].tolist()]])
        maps = torch.cat([one[0] for one in by_hand(model, given)[1]]).detach().numpy()
        assert np.allclose(found["weights"], maps, atol=1e-5)


def test_a_whole_answer_is_right_either_way_of_reading() -> None:
    """The text says so: reading the right answer, or what it wrote itself, gives the same count without a mistake."""
    state, p = at(30).state(), params()
    model = load(state)
    kept = torch.from_numpy(held_out(p))
    answers = solutions(p.task, kept)
    taught = model(inputs(kept, answers, p.symbols))[0][:, p.length :].argmax(2)
    written = torch.cat([kept, torch.full((len(kept), 1), p.symbols)], 1)
    for _ in range(p.length):
        written = torch.cat([written, model(written)[0][:, -1].argmax(1, keepdim=True)], 1)
    free = written[:, p.length + 1 :]
    assert torch.equal((taught == answers).all(1), (free == answers).all(1))
    assert 0 < (free == answers).all(1).float().mean() < 1  # a network that is half done, or this would prove nothing
    assert not torch.equal(taught, free)


# tasks and data


@pytest.mark.parametrize("task", TASKS)
def test_the_tasks_are_what_they_are_called(task: str) -> None:
    drawn = np.random.default_rng(0).integers(0, 5, (50, 7))
    for one, wanted, where in zip(drawn, solution(task, drawn), sources(task, drawn), strict=True):
        plain = {"copy": list(one), "reverse": list(one)[::-1], "sort": sorted(one)}[task]
        assert list(wanted) == plain
        for place in range(7):
            found = [int(one[j]) for j in np.flatnonzero(where[place])]
            assert set(found) == {plain[place]}
            assert len(found) == (list(one).count(plain[place]) if task == "sort" else 1)


def test_tokens_are_what_the_network_reads() -> None:
    assert tokens("reverse", read("BADC")) == ["B", "A", "D", "C", BAR, "C", "D", "A"]
    given = torch.from_numpy(read("BADC"))[None]
    seen = inputs(given, solutions("reverse", given), 10)[0]
    assert [(LETTERS + BAR)[one] if one < 10 else BAR for one in seen] == tokens("reverse", read("BADC"))


@pytest.mark.parametrize("changes", [{}, {"length": 2, "symbols": 2}, {"length": 12, "symbols": 16}, {"length": 3}])
def test_no_batch_holds_a_held_out_sequence(changes: dict[str, Any]) -> None:
    p = params(**changes)
    kept = held_out(p)
    every = p.symbols**p.length
    assert len(kept) == max(1, min(256, every // 4))
    assert len({tuple(one) for one in kept.tolist()}) == len(kept)
    assert kept.min() >= 0
    assert kept.max() < p.symbols
    known = codes(torch.from_numpy(kept), p.symbols)
    generator = torch.Generator().manual_seed(0)
    hidden = {tuple(one) for one in kept.tolist()}
    drawn = torch.cat([draw(p, known, generator) for _ in range(20)])
    assert not hidden & {tuple(one) for one in drawn.tolist()}
    assert len(set(codes(drawn, p.symbols).tolist())) == len({tuple(one) for one in drawn.tolist()})


# runs


def same(one: Checkpoint, other: Checkpoint) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[name], other[name]) for name in one)


def test_the_same_seed_is_the_same_run_and_another_is_not() -> None:
    first, again, other = steps(), steps(), steps(seed=1)
    assert [one.scalars for one in first] == [one.scalars for one in again]
    assert same(first[-1].state(), again[-1].state())
    assert first[-1].scalars["loss"] != other[-1].scalars["loss"]


@pytest.mark.parametrize(("place", "changes"), [(0, {}), (40, {}), *((7, changes) for changes in SHAPES[:4])])
def test_a_run_taken_up_again_is_bit_identical(place: int, changes: dict[str, Any]) -> None:
    whole = steps(**changes)
    kept = at(place, **changes).state()
    torch.manual_seed(999)
    rest = steps(kept, **changes)
    assert [one.step for one in rest] == list(range(place + 1, 41))
    assert [one.scalars for one in rest] == [one.scalars for one in whole[place + 1 :]]
    if rest:
        assert same(rest[-1].state(), whole[-1].state())
        assert all(np.array_equal(rest[-1].frame()[name], array) for name, array in whole[-1].frame().items())


def test_looking_does_not_change_a_run() -> None:
    watched = []
    for one in compute.run(job()):
        watched.append(one.scalars)
        one.frame()
        look(job(), one.state(), "head", {"head": 1})
        look(job(), one.state(), "own", {"own": "ABC"})
    assert watched == [one.scalars for one in steps()]


def test_the_learning_rate_warms_up_and_may_change_on_the_way() -> None:
    run = compute.run(job(lr=0.01, warmup=10))
    assert next(run).scalars["lr"] == 0
    assert [run.send(None).scalars["lr"] for _ in range(12)] == pytest.approx(
        [0.001 * n for n in range(1, 11)] + [0.01] * 2
    )
    changed = run.send({"lr": 0.02})
    assert changed.scalars["lr"] == 0.02
    kept = changed.state()
    assert [one.scalars for one in compute.run(job(lr=0.02, warmup=10), kept)] == [one.scalars for one in run]
    assert next(compute.run(job(lr=0.005, warmup=10), kept)).scalars["lr"] == 0.005


def test_its_step_is_torchs_own() -> None:
    """The first batch's loss, gradient and AdamW update, by the formulas of the paper."""
    before, after = at(0).state(), at(1)
    p = params()
    known = codes(torch.from_numpy(held_out(p)), p.symbols)
    batch = draw(p, known, torch.Generator().manual_seed(0))
    answers = solutions(p.task, batch)
    model = load(before)
    scores, _ = by_hand(model, inputs(batch, answers, p.symbols))
    loss = F.nll_loss(scores[:, p.length :].log_softmax(2).flatten(0, 1), answers.flatten())
    loss.backward()  # type: ignore[no-untyped-call]
    assert after.scalars["loss"] == pytest.approx(loss.item(), abs=1e-5)
    lr = p.lr / p.warmup
    for name, weight in model.named_parameters():
        assert weight.grad is not None
        step = weight.grad / (weight.grad.abs() + 1e-8)  # both moments are the first gradient's own, corrected
        wanted = weight.detach() * (1 - lr * 0.01) - lr * step
        sure = weight.grad.abs() > 1e-6  # where the sign of a gradient is rounding, so is its step
        assert torch.allclose(torch.from_numpy(after.state()[f"model.{name}"])[sure], wanted[sure], atol=1e-5), name


def test_a_run_may_go_on_with_another_task_but_not_with_another_network() -> None:
    kept = at(40).state()
    forked = steps(kept, task="copy", steps=60)
    assert [one.step for one in forked] == list(range(41, 61))
    assert forked[0].scalars["loss"] > steps(kept, steps=60)[0].scalars["loss"]
    for other in ({"heads": 2}, {"length": 5}, {"symbols": 7}, {"positions": "sine"}, {"mlp": True}):
        with pytest.raises(Problem, match="another length, alphabet or network"):
            steps(kept, **other)


def test_a_loss_that_is_no_number_ends_the_run_with_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compute, "warmed_up", lambda p, lr, step: math.inf)
    with pytest.raises(Problem, match="stopped being a finite number") as found:
        steps()
    assert "学习率" in found.value.zh


# script


def script_output(settings: Params) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(catalog.script(NAME, settings), "script.py", "exec"), {"__name__": "__main__"})
    return out.getvalue()


@pytest.mark.parametrize("changes", SHAPES)
def test_script_agrees_with_the_run(changes: dict[str, Any]) -> None:
    end = steps(**changes)[-1]
    printed = script_output(params(**changes))
    assert float(re.findall(r"final loss ([\d.]+)", printed)[-1]) == pytest.approx(end.scalars["loss"], abs=1e-5)
    exact = float(re.findall(r"mistake ([\d.]+)%", printed)[-1])
    assert exact == pytest.approx(100 * end.scalars["val_exact"], abs=0.051)


def test_script_as_it_stands_has_the_defaults() -> None:
    source = Path(figures.__file__).with_name("script.py").read_text()
    assert catalog.script(NAME, Params()).replace("'", '"') == source.replace("'", '"')


# figures


def test_the_figures_say_what_the_arrays_say() -> None:
    _, state, shown = trained()
    settings = Params(own="FACEBEAD")
    patches = {(one.figure, one.trace): one.data for one in figures.update(settings, Tick(300, {}, shown))}
    assert np.array_equal(patches["heads", ""]["tiles"], shown["weights"])
    example = held_out(settings)[0]
    wanted = example[::-1]
    for row, letters in zip(patches["off", "off"]["text"], shown["letters"], strict=True):
        assert [re.sub("<.*?>", "", one) for one in row] == [LETTERS[one] for one in letters]
        assert [len(one) == 1 for one in row] == [one == right for one, right in zip(letters, wanted, strict=True)]
    assert any(len(one) > 1 for row in patches["off", "off"]["text"] for one in row)  # some mistake is marked
    said = patches["off", "off"]["say"]
    assert (said["layer"], said["head"]) == (1, 1)
    drawn = figures.draw(settings, text.read(NAME, "en"))
    heads, off, own = drawn["heads"], drawn["off"], drawn["own"]
    assert isinstance(heads, board.Map)
    assert isinstance(off, board.Plot)
    assert isinstance(own, board.Plot)
    assert heads.tiles == [f"{layer}.{head}" for layer in (1, 2) for head in (1, 2, 3, 4)]
    assert heads.rows == [*(LETTERS[one] for one in example), BAR, *(LETTERS[one] for one in example[:0:-1])]
    assert off.layout["yaxis"]["ticktext"][1:] == [f"−{name}" for name in heads.tiles]
    assert "".join(off.layout["xaxis"]["ticktext"]) == "".join(LETTERS[one] for one in example[::-1])
    found = look(default_job(), state, "own", {"own": "FACEBEAD"})
    written = {(one.figure, one.trace): one.data for one in figures.answer(settings, "own", {}, found)}
    assert "".join(written["own", "own"]["text"][0]) == "".join(own.layout["xaxis"]["ticktext"]) == "DAEBECAF"
    assert written["own", "own"]["say"] == {"step": 300, "right": 8, "length": 8}


def test_the_map_in_full_is_the_first_tile_until_another_is_picked() -> None:
    _, _, shown = trained()
    drawn = figures.draw(Params(), text.read(NAME, "en"))
    folded = fold(drawn, [], figures.update(Params(), Tick(300, {}, shown)))
    assert np.allclose(folded["head"]["data"]["tiles"], shown["weights"][:1])


def test_a_chosen_head_and_cell_fill_three_figures() -> None:
    _, state, shown = trained()
    found = look(default_job(), state, "head", {"head": 5, "row": 9, "col": 6})
    patches = {(one.figure, one.trace): one.data for one in figures.answer(Params(), "head", {}, found)}
    said = patches["without", "off"]["say"]
    assert (said["layer"], said["head"], said["step"], said["count"]) == (2, 2, 300, 256)
    assert said["loss_on"] < said["loss_off"]
    assert patches["head", ""]["select"] == [0, 9, 6]
    assert np.allclose(patches["pair", "q·k"]["y"], patches["pair", "q"]["y"] * patches["pair", "k"]["y"])
    made = patches["pair", "q·k"]["say"]
    assert made["dot"] / math.sqrt(made["width"]) == pytest.approx(made["score"], abs=1e-5)
    assert made["weight"] == pytest.approx(shown["weights"][5, 9, 6], abs=1e-5)


def test_heads_switched_off_together_are_as_computed_by_hand() -> None:
    end, state, _ = trained()
    names = ["2.1", "1.3", "2.4"]
    found = look(default_job(), state, "off", {"off": names})
    kept = torch.from_numpy(held_out(Params()))
    answers = solutions("reverse", kept)
    with torch.no_grad():
        scores, _ = by_hand(load(state), inputs(kept, answers, 10), (1, 0), (0, 2), (1, 3))
    guesses = scores[:, 8:]
    right = guesses.argmax(2) == answers
    assert found["loss"][1] == pytest.approx(F.cross_entropy(guesses.flatten(0, 1), answers.flatten()).item(), abs=1e-5)
    assert found["exact"][1] == pytest.approx(right.all(1).float().mean().item())
    assert found["accuracy"][1] == pytest.approx(right.float().mean().item())
    assert found["exact"][0] == pytest.approx(end.scalars["val_exact"])
    assert (found["letters"][1] == guesses.argmax(2)[:6].numpy()).all()
    # one alone is what a click on it shows
    alone, clicked = (
        look(default_job(), state, "off", {"off": ["2.2"]}),
        look(default_job(), state, "head", {"head": 5}),
    )
    assert all((alone[key] == clicked[key]).all() for key in alone)
    patches = {(one.figure, one.trace): one.data for one in figures.answer(Params(), "off", {}, found)}
    said = patches["off_together", "off"]["say"]
    assert (said["names"], said["step"], said["count"]) == ("1.3, 2.1, 2.4", 300, 256)
    assert patches["heads", ""]["crossed"] == [2, 4, 7]
    drawn = figures.draw(parse(Params, {"off": "2.1,1.3"}), text.read(NAME, "en"))
    assert "off_together" in drawn
    assert "without" not in drawn
    assert figures.asks(parse(Params, {"off": "2.1,1.3"}))[1] == {"name": "off", "args": {"off": ["1.3", "2.1"]}}


@pytest.mark.parametrize("off", [None, [], "1.1", [1], ["1.5"], ["1.1", "3.1"], ["x"], {}])
def test_heads_that_this_network_does_not_have_are_named(off: Any) -> None:
    with pytest.raises(
        Problem, match=r"not a list of heads|has no head .*: its 2 layers have 4 heads each, from 1.1 to 2.4"
    ):
        look(job(), at(0).state(), "off", {"off": off})


def test_every_head_has_its_curve_in_its_own_style() -> None:
    for layers, heads, job_name in ((1, 1, "bar"), (3, 8, "source"), (2, 4, "previous")):
        settings = params(layers=layers, heads=heads, job=job_name)
        names = set(next(compute.run(job(layers=layers, heads=heads))).scalars)
        drawn = figures.draw(settings, text.read(NAME, "zh"))
        curves, need = drawn[job_name], drawn["need"]
        assert isinstance(curves, board.Plot)
        assert isinstance(need, board.Plot)
        assert {one["bind"]["y"] for one in curves.traces} == {
            one for one in names if re.match(rf"{job_name}\.\d", one)
        }
        assert {one["bind"]["y"] for one in need.traces} == {one for one in names if one.startswith("off.")}
        looks = [(one["line"]["color"], one["line"]["dash"]) for one in curves.traces]
        assert len(set(looks)) == layers * heads


# questions and what is typed


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("héllo", "'É'"),
        ("ABC🙂", "🙂"),
        ("注意力", "注"),
        ("A\x00B", "\\x00"),
        ("ABCQ", "'Q'"),
        ("1234", "'1'"),
        ("A" * 13, "13 symbols"),
        ("word " * 10_000, "50000 characters"),
        ("<script>", "'<'"),
    ],
)
def test_what_is_typed_is_named_if_it_cannot_be_read(typed: str, words: str) -> None:
    with pytest.raises(Problem) as found:
        parse(Params, {"own": typed})
    assert words in str(found.value)
    assert len(found.value.en) < 200
    assert re.search("[\u4e00-\u9fff]", found.value.zh)


def test_what_is_typed_is_read_in_any_case_and_spacing() -> None:
    assert parse(Params, {"own": " face\tbead\n"}).own == "FACEBEAD"
    assert parse(Params, {"own": "   "}).own == ""


@pytest.mark.parametrize(
    ("own", "words"),
    [
        ("ABCDE", "1 to 4 symbols; 5 were typed"),
        ("ABG", "knows A to F; G is new"),
        ("", "0 were typed"),
        (None, "0 were typed"),
        (["A"], "0 were typed"),
        ("A?", "'?'"),
    ],
)
def test_a_sequence_this_network_cannot_read_is_refused_in_words(own: Any, words: str) -> None:
    with pytest.raises(Problem) as found:
        look(job(), at(0).state(), "own", {"own": own})
    assert words in str(found.value)


@pytest.mark.parametrize(
    "args",
    [
        {"head": 8},
        {"head": -1},
        {"head": "1"},
        {"head": True},
        {"head": math.nan},
        {"head": 0, "row": 8},
        {"head": 0, "col": math.inf},
        {"head": None},
        {"head": [0]},
    ],
)
def test_questions_of_no_form_are_refused_in_words(args: dict[str, Any]) -> None:
    with pytest.raises(Problem, match="not a whole number from 0 to 7"):
        look(job(), at(0).state(), "head", args)


def test_other_questions_are_refused_too() -> None:
    state = at(0).state()
    with pytest.raises(Problem, match="no answer"):
        look(job(), state, "confusion", {})
    with pytest.raises(Problem, match="no network to ask yet"):
        look(job(), None, "head", {})
    with pytest.raises(Problem, match="not one of this lesson"):
        look(job(), {"model.x": np.zeros(3), "at.step": np.array(1)}, "head", {})
    with pytest.raises(Problem, match="no question"):
        figures.answer(Params(), "confusion", {}, {})


# what the texts say


def test_the_default_run_learns_and_its_heads_differ() -> None:
    end, state, _ = trained()
    assert end.scalars["val_exact"] > 0.97
    assert (end.scalars["top.source.layer"], end.scalars["top.source.head"]) == (1, 1)
    assert end.scalars["source.1.2"] < 0.12  # found no job
    assert sum(end.scalars[f"source.2.{head}"] > 0.5 for head in range(1, 5)) == 3
    lost = [look(default_job(), state, "head", {"head": head})["exact"][1] for head in range(8)]
    assert lost[0] < 0.5  # the one that is needed
    assert min(lost[4:]) > 0.9  # those of layer 2 look at the right place half of the time, and can be spared
    together = look(default_job(), state, "off", {"off": ["2.1", "2.2", "2.3", "2.4"]})["exact"][1]
    assert together == pytest.approx(1 / 8, abs=0.03)


def test_a_shorter_word_is_not_reversed() -> None:
    _, state, _ = trained()
    whole = look(default_job(), state, "own", {"own": "FACEBEAD"})
    short = look(default_job(), state, "own", {"own": "FACEBEA"})
    assert (whole["letters"] == whole["answers"]).all()
    assert (short["letters"] == short["answers"]).mean() < 0.5


def test_a_single_head_carries_everything() -> None:
    end = steps(**Params(layers=1, heads=1, pace=0.0).model_dump())[-1]
    assert end.scalars["val_exact"] > 0.97
    found = look(job(**Params(layers=1, heads=1).model_dump()), end.state(), "head", {"head": 0})
    assert found["exact"][1] == 0
    assert found["loss"][1] > math.log(10) - 0.1


def test_without_positions_one_layer_cannot_see_the_order() -> None:
    settings = Params(positions="none", layers=1, width=32, lr=0.005, steps=200).model_dump()
    assert 0.15 < steps(**settings)[-1].scalars["val_accuracy"] < 0.3


def test_without_positions_two_layers_learn_it_in_part() -> None:
    settings = Params(positions="none", width=32, lr=0.005, steps=300).model_dump()
    assert 0.4 < steps(**settings)[-1].scalars["val_accuracy"] < 0.9


def test_the_worked_examples_are_worked_right() -> None:
    """Computed again, and the numbers in both languages are these."""
    keys = torch.eye(4, dtype=torch.float64)[:3]
    values = torch.tensor([[1.0, 0], [0, 1], [0, 0]], dtype=torch.float64)
    expected = []
    for length, digits in ((6.0, 4), (12.0, 4)):
        query = torch.tensor([[0, length, 0, 0]], dtype=torch.float64)
        weights = F.scaled_dot_product_attention(query, keys, torch.eye(3, dtype=torch.float64))[0]
        expected.append("(" + r",\ ".join(f"{one:.{digits}f}" for one in weights) + ")")
        if length == 6:
            out = F.scaled_dot_product_attention(query, keys, values)[0]
            expected.append("(" + r",\ ".join(f"{one:.4f}" for one in out) + ")")
            expected += [f"${out.softmax(0)[1]:.4f}$", f"${-out.log_softmax(0)[1]:.4f}$"]
    expected += [
        f"{math.exp(3):.4f}",
        f"{2 + math.exp(3):.4f}",
        f"\\ln 2={math.log(2):.4f}",
        f"\\ln 10={math.log(10):.4f}",
    ]
    even = sum(1 / n for n in range(9, 17)) / 8
    expected.append(f"={even:.4f}")
    for language in catalog.LANGUAGES:
        source = (catalog.lesson(NAME).folder / f"{language}.md").read_text("utf-8")
        for number in expected:
            assert number in source, number
    flat = torch.full((8, 16), 0.0)
    for row in range(8):
        flat[row, : 9 + row] = 1 / (9 + row)
    assert float(flat[torch.arange(8), torch.arange(7, -1, -1)].mean()) == pytest.approx(even, abs=1e-6)
    drawn = 300 * 64
    assert f"{drawn:,}" in (catalog.lesson(NAME).folder / "en.md").read_text("utf-8")
    assert 4000 < 10**8 / drawn < 6000


def test_the_presets_can_be_asked_about_their_own_word() -> None:
    nano = parse(Params, PRESETS["nano"])
    assert set(nano.own) <= set(LETTERS[: nano.symbols])
    assert len(nano.own) <= nano.length
