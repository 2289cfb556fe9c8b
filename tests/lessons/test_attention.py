"""The attention lesson tells the truth: what it draws is what transformers and torch compute from the same weights."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import unicodedata
from importlib.resources import files
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.params import parse
from engine.types import Job, Problem, Step, Tick
from lessons import catalog, text
from lessons.attention import compute, encoder, figures
from lessons.attention.params import NAMES, PRESETS, TEXT, TINY, Params
from lessons.attention.tokens import LONGEST, PACKAGE, tokens
from lessons.board.fold import fold

MODEL = str(files(PACKAGE) / "model")
NEAR: dict[str, Any] = {"rtol": 1e-5, "atol": 1e-5}


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def bert() -> Any:
    """transformers' own encoder from the same files."""
    from transformers import BertModel

    found: Any = BertModel.from_pretrained(MODEL, attn_implementation="eager", local_files_only=True)
    return found.eval()


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    from transformers import AutoTokenizer

    found = AutoTokenizer.from_pretrained(MODEL, local_files_only=True).backend_tokenizer
    found.no_truncation()
    found.no_padding()
    return found


def job(**changes: Any) -> Job:
    values = parse(Params, {**TINY.model_dump(), "text": TEXT, **changes}).model_dump(mode="json")
    return Job(catalog.lesson("attention").entry, values, 0, "cpu")


def long_text(count: int) -> str:
    """A text of `count` tokens."""
    found = " ".join(["river music garden doctor window summer teacher"] * 40).split()[: count - 2]
    assert len(tokens(" ".join(found)).pieces) == count
    return " ".join(found)


def outputs(bert: Any, sentence: str) -> Any:
    with torch.no_grad():
        return bert(torch.tensor([tokens(sentence).ids]), output_attentions=True, output_hidden_states=True)


# the tokenizer


def known_for_long(char: str) -> bool:
    """Whether both lists of Unicode, the tokenizer's old one and Python's, know this character."""
    return unicodedata.ucd_3_2_0.category(char) == unicodedata.category(char)


@settings(max_examples=300, deadline=None)
@given(
    found=st.text(st.characters(max_codepoint=0xFFFF, categories=("L", "N", "P", "Zs", "Cc")).filter(known_for_long))
)
def test_its_tokens_are_those_of_the_models_own_tokenizer(tokenizer: Any, found: str) -> None:
    assert tokens(found).ids == tuple(tokenizer.encode(found).ids)


@pytest.mark.parametrize(
    "found",
    [
        TEXT,
        "Café naïve Ångström",
        "中文和 English 混合",
        "🙂🙂 hello",
        "a\x00b\x07c\u200bd",
        "[MASK] and [CLS]",
        "x" * 101,
        "don't—stop…",
        "ＡＢＣ ﬁ Ⅻ",
        "unbelievably antidisestablishmentarianism",
    ],
)
def test_its_tokens_hold_for_hard_texts(tokenizer: Any, found: str) -> None:
    assert tokens(found).ids == tuple(tokenizer.encode(found).ids)
    assert tokens(found).pieces == tuple(tokenizer.encode(found).tokens)


def test_nearly_every_character_there_is_is_read_alike(tokenizer: Any) -> None:
    """The model's tokenizer holds an older list of Unicode: some hundred rare signs are accents to one alone."""
    chars = [chr(code) for code in range(0x30000) if not 0xD800 <= code <= 0xDFFF]
    theirs = tokenizer.encode_batch([f"a{char}b" for char in chars])
    other = [
        char for char, one in zip(chars, theirs, strict=True) if tokens.__wrapped__(f"a{char}b").ids != tuple(one.ids)
    ]
    assert len(other) < 700


# the encoder


@pytest.mark.parametrize("sentence", [TEXT, "Hello.", long_text(256)])
def test_attention_is_that_of_transformers(bert: Any, sentence: str) -> None:
    theirs = outputs(bert, sentence)
    made = encoder.encoder()
    with torch.no_grad():
        inputs, seen = made.layers(made.embed(made.look_up(torch.tensor([tokens(sentence).ids]))))
    assert len(seen) == len(theirs.attentions) == 6
    for ours, other in zip(seen, theirs.attentions, strict=True):
        torch.testing.assert_close(ours.weights, other, **NEAR)
        torch.testing.assert_close(ours.weights.sum(-1), torch.ones_like(ours.weights[..., 0]), **NEAR)
        torch.testing.assert_close(ours.out, F.scaled_dot_product_attention(ours.q, ours.k, ours.v), **NEAR)
    for mine, other in zip(inputs, theirs.hidden_states, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-4, atol=2e-5)


def test_what_is_masked_is_exactly_zero_and_changes_nothing() -> None:
    made = encoder.encoder()
    ids = [tokens(TEXT).ids, tokens("Cats run.").ids]
    mask = torch.ones(2, len(ids[0]), dtype=torch.bool)
    mask[1, len(ids[1]) :] = False
    padded = torch.tensor([ids[0], [*ids[1], *[0] * (len(ids[0]) - len(ids[1]))]])
    with torch.no_grad():
        _, seen = made.layers(made.embed(made.look_up(padded)), mask=mask)
        together, alone = made.texts(ids), torch.cat([made.texts([one]) for one in ids])
    for one in seen:
        assert (one.weights[1, :, :, ~mask[1]] == 0).all()
        assert (one.weights[1, :, :, mask[1]] > 0).all()
        torch.testing.assert_close(one.weights.sum(-1), torch.ones_like(one.weights[..., 0]), **NEAR)
        torch.testing.assert_close(
            one.out, F.scaled_dot_product_attention(one.q, one.k, one.v, mask[:, None, None, :]), **NEAR
        )
    torch.testing.assert_close(together, alone, **NEAR)


def test_the_meaning_is_the_mean_of_the_sequence_output_not_the_pooled_one(bert: Any) -> None:
    """Worked example 10: outputs[0] is the sequence, outputs[1] the pooled output."""
    theirs = outputs(bert, TEXT)
    n = len(tokens(TEXT).ids)
    assert theirs[0].shape == (1, n, 384)
    assert theirs[1].shape == (1, 384)
    ours = compute.encode(tokens(TEXT).ids, (), "cpu").embedding
    torch.testing.assert_close(ours, F.normalize(theirs[0].mean(1), dim=-1)[0], **NEAR)
    assert not torch.allclose(ours, F.normalize(theirs[1], dim=-1)[0], atol=0.1)


@pytest.mark.parametrize("off", [("4.2",), ("1.3", "6.12"), ("3.*",), ("1.*", "2.*", "3.*", "4.*", "5.*", "6.*")])
def test_a_head_is_off_as_if_its_part_of_the_mixing_weights_were_zero(bert: Any, off: tuple[str, ...]) -> None:
    import copy

    p = parse(Params, {"off": off})
    changed = copy.deepcopy(bert)
    for index in p.heads_off:
        layer, head = divmod(index, 12)
        changed.encoder.layer[layer].attention.output.dense.weight.data[:, 32 * head : 32 * head + 32] = 0
    theirs = F.normalize(outputs(changed, p.text)[0].mean(1), dim=-1)[0]
    torch.testing.assert_close(
        compute.encode(tokens(p.text).ids, p.heads_off, "cpu").embedding, theirs, rtol=1e-4, atol=1e-5
    )


def test_other_weights_are_refused() -> None:
    with pytest.raises(Problem, match="SHA-256"):
        encoder.verify(b"other weights")


# what is displayed


@pytest.mark.parametrize("sentence", [TEXT, "Dogs chase cats.", long_text(40)])
@pytest.mark.parametrize("name", ["1.3", "4.2", "6.12"])
def test_every_number_of_a_head_comes_from_the_weights(bert: Any, sentence: str, name: str) -> None:
    """q, k, products, scores, scaled, powers, weights, parts and output, all again from the file's own matrices."""
    token, to = 3, 1
    answer = compute.look(job(text=sentence), None, "head", {"head": name, "token": token, "to": to})
    layer, head = (int(part) - 1 for part in name.split("."))
    x = outputs(bert, sentence).hidden_states[layer][0]
    part = bert.encoder.layer[layer].attention.self
    rows = slice(32 * head, 32 * head + 32)
    with torch.no_grad():
        q, k, v = (x @ one.weight[rows].T + one.bias[rows] for one in (part.query, part.key, part.value))
    scores = (q @ k.T).double()
    weights = (scores / math.sqrt(32)).softmax(-1)
    close: dict[str, Any] = {"rtol": 1e-5, "atol": 1e-5}
    np.testing.assert_allclose(answer["weights"], weights, **close)
    np.testing.assert_allclose(answer["weights"].sum(1), 1, **close)
    way = answer["way"]
    loose: dict[str, Any] = {"rtol": 1e-5, "atol": 2e-4}  # a score is a sum of 32 products of up to 20
    np.testing.assert_allclose(way[:, 0], scores[token], **loose)
    np.testing.assert_allclose(way[:, 1], way[:, 0] / math.sqrt(32), **close)
    np.testing.assert_allclose(way[:, 2], np.exp(way[:, 1] - way[:, 1].max()), **close)
    np.testing.assert_allclose(way[:, 3], way[:, 2] / way[:, 2].sum(), **close)
    pair = answer["pair"]
    np.testing.assert_allclose(pair[0], q[token], **close)
    np.testing.assert_allclose(pair[1], k[to], **close)
    np.testing.assert_allclose(pair[2], pair[0] * pair[1], **close)
    np.testing.assert_allclose(pair[2].sum(), way[to, 0], **close)
    parts, which = answer["parts"], answer["which"]
    for row, index in zip(parts, which, strict=False):
        if index >= 0:
            np.testing.assert_allclose(row, weights[token, index] * v[index].double(), **close)
    np.testing.assert_allclose(parts[:-1].sum(0), parts[-1], **close)
    np.testing.assert_allclose(parts[-1], weights[token] @ v.double(), **close)
    shown = [int(index) for index in which if index >= 0]
    assert shown == sorted(set(shown))
    assert (len(which) == len(tokens(sentence).pieces)) == (-1 not in which)


@pytest.mark.parametrize("sentence", [TEXT, long_text(50), long_text(256)])
def test_the_small_pictures_are_the_weights(bert: Any, sentence: str) -> None:
    weights = torch.cat([one[0] for one in outputs(bert, sentence).attentions]).numpy()
    pictures = compute.encode(tokens(sentence).ids, (), "cpu").pictures
    n = weights.shape[-1]
    size = min(n, 32)
    assert pictures.shape == (72, size, size)
    assert pictures.dtype == np.uint8
    for row in range(size):
        for column in range(size):
            block = weights[
                :,
                row * n // size : math.ceil((row + 1) * n / size),
                column * n // size : math.ceil((column + 1) * n / size),
            ]
            assert np.abs(pictures[:, row, column] - 255 * block.max((1, 2))).max() <= 0.51


def test_each_step_is_one_head_off_and_nothing_else() -> None:
    p = parse(Params, {"text": "Dogs chase cats.", "others": "Cats run.", "pace": 0})
    found = list(compute.run(Job(catalog.lesson("attention").entry, p.model_dump(mode="json"), 0, "cpu")))
    assert [one.step for one in found] == list(range(73))
    whole = compute.encode(tokens(p.text).ids, (), "cpu").embedding
    for index in (0, 11, 12, 37, 71):
        other = compute.encode(tokens(p.text).ids, (index,), "cpu").embedding
        assert found[index + 1].scalars["change"] == pytest.approx(1 - float(whole.double() @ other.double()), abs=1e-6)
    changes = found[-1].frame()["changes"]
    np.testing.assert_allclose(changes, [one.scalars["change"] for one in found[1:]], rtol=1e-6)
    assert np.isnan(next(compute.run(job())).frame()["changes"]).all()


def test_a_run_goes_on_from_its_checkpoint_as_if_it_had_never_stopped() -> None:
    states = {}
    history = []
    for one in compute.run(job(off="4.2")):
        states[one.step] = one.state()
        history.append(one.scalars)
    for at in (0, 30, 71):
        again = list(compute.run(job(off="4.2"), states[at]))
        assert [one.step for one in again] == list(range(at + 1, 73))
        assert [one.scalars for one in again] == history[at + 1 :]


def test_similarities_are_cosines_of_transformers_own_meanings(bert: Any) -> None:
    p = parse(Params, {"off": "6.12"})
    frame = next(compute.run(job(off="6.12", others=p.others))).frame()
    mine, *others = (F.normalize(outputs(bert, one)[0].mean(1), dim=-1)[0] for one in (p.text, *p.sentences))
    np.testing.assert_allclose(frame["cosines"][:, 0], [float(mine @ one) for one in others], atol=1e-5)
    table = figures.meaning(p, frame["cosines"]).data["values"]
    np.testing.assert_allclose(table[:, 2], table[:, 1] - table[:, 0], atol=1e-7)


def test_attributions_add_up_and_agree_with_finite_differences() -> None:
    """Completeness (Sundararajan et al., 2017), and the gradient itself against a step in float64."""
    p = parse(Params, {})
    answer = compute.look(job(others=p.others), None, "attribution", {"other": 1})
    rows, ends = answer["rows"], answer["ends"]
    assert rows[:, 1].sum() == pytest.approx(float(ends[1] - ends[0]), abs=2e-3)
    assert rows[0, 1] == rows[-1, 1] == 0
    before, _ = compute.similarities(p, "cpu")
    assert float(ends[1]) == pytest.approx(before[1], abs=1e-5)
    made = encoder.Encoder({name: one.double() for name, one in encoder.encoder().weights.items()})
    ids = tokens(p.text).ids
    target = compute.sentence_embeddings(p.sentences, "cpu")[1].double()
    full = made.look_up(torch.tensor([ids]))
    base = made.look_up(torch.tensor([[ids[0], *[0] * (len(ids) - 2), ids[-1]]]))

    def similarity(x: torch.Tensor) -> torch.Tensor:
        return encoder.sentence_embedding(made.layers(made.embed(x))[0][-1]) @ target

    # the same integral by many small steps of the similarity alone: each token moved along its own part of the path
    token, total, steps = 2, 0.0, 64
    with torch.no_grad():
        for step in range(steps):
            x = base + (step + 0.5) / steps * (full - base)
            move = torch.zeros_like(x)
            move[0, token] = (full - base)[0, token] * 1e-4
            total += float((similarity(x + move) - similarity(x - move))[0]) / 2e-4 / steps
    assert rows[token, 1] == pytest.approx(total, abs=1e-3)


def test_the_attention_a_token_gets_is_the_mean_over_all_heads(bert: Any) -> None:
    answer = compute.look(job(), None, "attribution", {"other": 0})
    weights = torch.cat([one[0] for one in outputs(bert, TEXT).attentions])
    np.testing.assert_allclose(answer["rows"][:, 0], weights.mean((0, 1)).numpy(), **NEAR)
    assert answer["rows"][:, 0].sum() == pytest.approx(1, abs=1e-5)


def test_ranks_are_spearmans() -> None:
    a, b = np.array([1.0, 2.0, 3.0, 4.0]), np.array([10.0, 20.0, 15.0, 40.0])
    assert figures.spearman(a, b) == pytest.approx(1 - 6 * 2 / (4 * 15))  # 1 - 6 Σd² / (n (n² - 1))
    assert figures.spearman(a, -a) == pytest.approx(-1)


# the words


def test_what_the_page_claims_is_so() -> None:
    """The figures that the texts name."""
    default = Params()
    ids = tokens(default.text)
    assert len(ids.pieces) == 16
    assert (ids.pieces[default.token], ids.pieces[default.to]) == ("it", "animal")
    head = compute.look(job(others=default.others), None, "head", {})
    assert head["weights"][10, 2] == pytest.approx(0.68, abs=0.005)
    previous = compute.look(job(), None, "head", {"head": "1.3"})["weights"]
    assert previous.diagonal(-1).min() > 0.9
    parked = compute.look(job(), None, "head", {"head": "5.6"})["weights"]
    assert parked[1:-1, 0].mean() > 0.8
    found = {}
    for off in [("4.2",), *[(f"{layer}.*",) for layer in range(1, 7)], tuple(f"{layer}.*" for layer in range(1, 7))]:
        found[off] = next(compute.run(job(off=off))).scalars["loss"]
    assert found[("4.2",)] == pytest.approx(0.002, abs=0.0003)
    assert found[("6.*",)] == pytest.approx(0.2, abs=0.005)
    assert max(found[(f"{layer}.*",)] for layer in range(1, 6)) < 0.04
    everything = tuple(f"{layer}.*" for layer in range(1, 7))
    assert 1 - found[everything] == pytest.approx(0.48, abs=0.005)
    _, after = compute.similarities(parse(Params, {"off": everything}), "cpu")
    assert after.index(max(after)) != 0
    order = parse(Params, PRESETS["order"])
    assert compute.similarities(order, "cpu")[0][0] == pytest.approx(0.978, abs=0.0005)


def test_worked_example_4() -> None:
    q, k, v = (torch.tensor(one, dtype=torch.float64) for one in ([1, 2, 3], [4, 5, 6], [7, 8, 9]))
    three = F.scaled_dot_product_attention(q[None, :, None], k[None, :, None], v[None, :, None])[0, :, 0]
    weights = torch.outer(q, k).softmax(-1)
    source = (catalog.lesson("attention").folder / "en.md").read_text("utf-8")
    for value in (*three.tolist(), *weights[0].tolist(), *torch.tensor([4.0, 6.0, 10.0]).softmax(0).tolist()):
        assert f"{value:.4f}" in source
    for value in torch.tensor([4.0, 5.0, 6.0]).exp().tolist():
        assert f"{value:.2f}" in source
    assert f"{torch.tensor([4.0, 5.0, 6.0]).exp().sum():.2f}" in source
    one = F.scaled_dot_product_attention(q[None, None], k[None, None], v[None, None])[0, 0]
    assert one.tolist() == v.tolist()
    assert f"{float(q @ k) / math.sqrt(3):.3f}" in source
    assert f"{0.2319 + 0.4198 + 0.4484:.4f}" in source


# what is typed


@pytest.mark.parametrize(
    ("found", "named"),
    [
        ("word " * 10_000, ["text", "50000", "4000"]),
        ("word " * 300, ["302", "256", "first 254 of its 300 words"]),
        ("! " * 300, ["302", "256"]),
        ("", ["no words"]),
        (" \n\t ", ["no words"]),
        ("\x00\x01\x7f", ["no words", "control"]),
    ],
)
def test_a_text_that_cannot_be_read_is_named_with_its_bounds(found: str, named: list[str]) -> None:
    with pytest.raises(Problem) as caught:
        parse(Params, {"text": found})
    for word in named:
        assert word in caught.value.en
    assert caught.value.zh != caught.value.en


def test_up_to_256_tokens_are_read() -> None:
    p = parse(Params, {"text": long_text(LONGEST)})
    assert len(tokens(p.text).pieces) == 256
    with pytest.raises(Problem, match="257"):
        parse(Params, {"text": f"{long_text(LONGEST)} more"})


@pytest.mark.parametrize(
    ("found", "word"),
    [("🙂🙂🙂", "UNK"), ("我喜欢猫", "UNK"), ("a\x07 dog \u200bran", "control"), ("Hello", "One token")],
)
def test_an_odd_text_is_read_and_what_happened_is_said(found: str, word: str) -> None:
    p = parse(Params, {"text": found, "pace": 0})
    assert any(word in one.en for one in figures.remarks(p))
    values = Job(catalog.lesson("attention").entry, p.model_dump(mode="json"), 0, "cpu")
    last = list(compute.run(values))[-1]
    patches = figures.update(p, Tick(last.step, last.scalars, last.frame()))
    for language in catalog.LANGUAGES:
        fold(figures.draw(p, text.read("attention", language)), [], patches)
    assert figures.answer(p, "attribution", {}, compute.look(values, None, "attribution", {}))
    assert figures.remarks(Params()) == []


@pytest.mark.parametrize(("found", "named"), [("\n", "0"), ("a\n" * 7, "7"), ("fine\n\x07", "no words")])
def test_other_sentences_are_checked_too(found: str, named: str) -> None:
    with pytest.raises(Problem, match=named):
        parse(Params, {"others": found})


def test_a_question_of_a_wrong_form_is_named() -> None:
    asked: list[tuple[str, dict[str, Any]]] = [
        ("head", {"head": "7.1"}),
        ("head", {"head": 3}),
        ("head", {"token": -1}),
        ("head", {"token": True}),
        ("attribution", {"other": "x"}),
        ("open", {}),
    ]
    for name, args in asked:
        with pytest.raises(Problem):
            compute.look(job(), None, name, args)


def test_heads_are_named_layer_by_layer_and_whole_layers_at_once() -> None:
    assert parse(Params, {"off": "2.1,1.*"}).heads_off == tuple(range(13))
    assert parse(Params, {"off": "6.12,1.1"}).off == ("1.1", "6.12")
    with pytest.raises(Problem, match=r"7\.1"):
        parse(Params, {"off": "7.1"})
    assert len(NAMES) == 72


# the program


@pytest.mark.parametrize("off", [(), ("4.2", "6.*")])
def test_the_program_ends_where_the_run_does(off: tuple[str, ...], tmp_path: Any) -> None:
    p = TINY.model_copy(update={"off": off})
    path = tmp_path / "attention.py"
    path.write_text(catalog.script("attention", p), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, path],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    said = float(done.stdout.splitlines()[-1].removeprefix("final loss "))
    steps: list[Step] = list(compute.run(Job(catalog.lesson("attention").entry, p.model_dump(mode="json"), 0, "cpu")))
    assert said == pytest.approx(steps[-1].scalars["loss"], abs=1e-5)
    assert (said > 0.01) == bool(off)
