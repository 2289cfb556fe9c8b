"""The board of the attention lesson."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.types import Arrays, Problem, Tick, Values
from lessons.attention.params import HEADS, LAYERS, NAMES, Params
from lessons.attention.tokens import tokens
from lessons.board.figures import Choose, Figure, Links, Map, Patch, Table
from lessons.contract import Query, unknown_query
from lessons.text import Words

DIMENSIONS = [str(number) for number in range(1, 33)]


def draw(params: Params, words: Words) -> dict[str, Figure]:
    """The figures in order of importance."""
    labels = {name: figure.labels for name, figure in words.figures.items()}

    def of_heads(figure: str, **other: Any) -> Map:
        """A tile for each head, layers down and heads across."""
        return Map(
            figure,
            tiles=list(NAMES),
            rows=[str(layer) for layer in range(1, LAYERS + 1)],
            columns=[str(head) for head in range(1, HEADS + 1)],
            row_title=labels["heads"]["layer"],
            column_title=labels["heads"]["head"],
            across=HEADS,
            by_tile=True,
            **other,
        )

    figures: list[Figure] = [
        of_heads("heads", limits=(0, 255), size="hero", height=300, picks=Choose({"head": "name"})),
        Links(
            "lines",
            left_title=labels["lines"]["from"],
            right_title=labels["lines"]["to"],
            size="half",
            height=300,
            picks=Choose({"token": "from", "to": "to"}),
        ),
        Table(
            "meaning",
            [
                {"title": labels["meaning"]["on"], "bar": "signed"},
                {"title": labels["meaning"]["off"], "bar": "signed"},
                {"title": labels["meaning"]["moved"]},
            ],
            head=labels["meaning"]["sentence"],
            size="half",
            height=280,
            picks=Choose({"other": "row"}),
        ),
        of_heads("changes", height=280, picks=Choose({"off": "name"})),
        Map(
            "weights",
            limits=(0, 1),
            row_title=labels["weights"]["from"],
            column_title=labels["weights"]["to"],
            size="half",
            height=400,
            picks=Choose({"token": "row", "to": "col"}),
        ),
        Table(
            "way",
            [
                {"title": labels["way"]["score"]},
                {"title": labels["way"]["scaled"]},
                {"title": labels["way"]["power"]},
                {"title": labels["way"]["weight"], "bar": "share"},
            ],
            head=labels["way"]["to"],
            size="half",
            height=400,
            picks=Choose({"to": "row"}),
        ),
        Map(
            "pair",
            colours="diverging",
            rows=["q", "k", "q × k"],
            columns=DIMENSIONS,
            size="full",
            height=130,
        ),
        Map("parts", colours="diverging", columns=DIMENSIONS, size="full", height=300),
        Table(
            "attribution",
            [
                {"title": labels["attribution"]["received"], "bar": "most"},
                {"title": labels["attribution"]["given"], "bar": "most"},
            ],
            head=labels["attribution"]["token"],
            size="full",
            height=420,
        ),
    ]
    return {figure.id: figure for figure in figures}


def asks(params: Params) -> list[Query]:
    """Questions that stand as long as the page is open. Their answers hold for the whole run, whatever its step."""
    return [
        {"name": "head", "args": {"head": params.head, "token": params.token, "to": params.to}, "follow": False},
        {"name": "attribution", "args": {"other": params.other}, "follow": False},
    ]


def remarks(params: Params) -> list[Problem]:
    """What a learner should know about the text before believing the figures."""
    text = tokens(params.text)
    problems = []
    if text.unknown:
        problems.append(
            Problem(
                f"{len(text.unknown)} of the {len(text.pieces)} tokens are [UNK]: the encoder's vocabulary is "
                "English and has no piece for these signs (emoji, most Chinese characters). It cannot tell them apart. "
                "Write them in English words to have them understood.",
                f"{len(text.pieces)} 个词元中有 {len(text.unknown)} 个是 [UNK]：编码器的词表是英文的，没有这些符号"
                "（表情、大多数汉字），也分不清它们。请改用英文单词来写。",
            )
        )
    if text.dropped:
        problems.append(
            Problem(
                f"{text.dropped} control characters (signs that cannot be seen) were left out of the text; the rest "
                "was read as it stands. Nothing has to be done.",
                f"文本里有 {text.dropped} 个控制字符（看不见的符号）被忽略，其余照读，无需处理。",
            )
        )
    if text.words == 1:
        problems.append(
            Problem(
                "One token alone: it has only itself, [CLS] and [SEP] to look at. Add words to see attention at work.",
                "只有一个词元：它只能看自己、[CLS] 和 [SEP]。多写几个词，注意力才有用武之地。",
            )
        )
    return problems


def update(params: Params, tick: Tick) -> list[Patch]:
    """All heads in small, the similarities, what switching heads off has changed so far, and the chosen head."""
    arrays = tick.arrays
    if not arrays:
        return []
    patches = [heads(params, arrays), changes(params, arrays["changes"]), meaning(params, arrays["cosines"])]
    return patches + (head(params, arrays) if "weights" in arrays else [])


def answer(params: Params, name: str, args: Values, arrays: Arrays) -> list[Patch]:
    """What `compute.look` answered."""
    if name == "head":
        layer, number, _, _ = (int(index) for index in arrays["at"])
        return [*head(params, arrays), Patch("heads", {"select": [layer * HEADS + number, 0, 0]})]
    if name == "attribution":
        return [attribution(params, arrays), Patch("meaning", {"select": int(arrays["other"])})]
    raise unknown_query(name)


def heads(params: Params, arrays: Arrays) -> Patch:
    """The 72 small pictures; those of heads that are off are crossed out."""
    n = len(tokens(params.text).pieces)
    size = arrays["pictures"].shape[1]
    say = {"tokens": n, "size": size, "block": int(np.ceil(n / size)), "off": len(params.heads_off)}
    layer, number = (int(part) - 1 for part in params.head.split("."))
    return Patch(
        "heads",
        {
            "tiles": arrays["pictures"],
            "crossed": list(params.heads_off),
            "select": [layer * HEADS + number, 0, 0],
            "say": say,
        },
    )


def head(params: Params, arrays: Arrays) -> list[Patch]:
    """One head in full, and one token's way through it."""
    pieces = list(tokens(params.text).pieces)
    layer, number, token, to = (int(index) for index in arrays["at"])
    weights, way = arrays["weights"], arrays["way"]
    most = int(weights[token].argmax())
    names: Values = {
        "name": f"{layer + 1}.{number + 1}",
        "token": pieces[token],
        "to": pieces[to],
        "most": pieces[most],
    }
    say = {
        **names,
        "weight": float(weights[token, most]),
        "score": float(way[to, 0]),
        "scaled": float(way[to, 1]),
        "power": float(way[to, 2]),
        "powers": float(way[:, 2].sum()),
        "share": float(weights[token, to]),
        "sum": float(weights[token].sum()),
    }
    parts = arrays["parts"]
    rest = len(pieces) - int((arrays["which"] >= 0).sum())
    rows = [f"+ {rest}" if at < 0 else f"{weights[token, at]:.2f} · {pieces[at]}" for at in arrays["which"]]
    return [
        Patch("lines", {"left": pieces, "right": pieces, "weights": weights, "select": [token, to], "say": say}),
        Patch(
            "weights", {"tiles": weights[None], "rows": pieces, "columns": pieces, "select": [0, token, to], "say": say}
        ),
        Patch("way", {"names": pieces, "values": way, "select": to, "say": say}),
        Patch("pair", {"tiles": arrays["pair"][None], "say": say}),
        Patch("parts", {"tiles": parts[None], "rows": [*rows, "="], "say": {**say, "rest": rest}}),
    ]


def meaning(params: Params, cosines: np.ndarray) -> Patch:
    """Similarity to each other sentence, (m, 2), with all heads on and with some off."""
    before, after = cosines[:, 0], cosines[:, 1]
    moved = after - before
    most = int(np.abs(moved).argmax())
    nearest = int(after.argmax())
    say = {
        "off": len(params.heads_off),
        "near": params.sentences[nearest],
        "cosine": float(after[nearest]),
        "most": params.sentences[most],
        "moved": float(moved[most]),
    }
    values = np.stack([before, after, moved], 1).astype(np.float32)
    return Patch("meaning", {"names": list(params.sentences), "values": values, "say": say})


def changes(params: Params, moved: np.ndarray) -> Patch:
    """How far the meaning moves when one head alone is off, (72,); NaN where that has not been tried yet."""
    tried = np.isfinite(moved)
    say: Values = {"tried": int(tried.sum())}
    if tried.any():
        most = int(np.nanargmax(moved))
        say |= {"most": NAMES[most], "change": float(moved[most]), "middle": float(np.nanmedian(moved))}
    return Patch("changes", {"tiles": moved.reshape(-1, 1, 1), "crossed": list(params.heads_off), "say": say})


def attribution(params: Params, arrays: Arrays) -> Patch:
    """What each token gets of attention, and what the similarity rests on by its gradients."""
    pieces = list(tokens(params.text).pieces)
    rows, ends = arrays["rows"], arrays["ends"]
    received, given = rows[1:-1, 0], np.abs(rows[1:-1, 1])
    say: Values = {
        "other": params.sentences[int(arrays["other"])],
        "from": float(ends[0]),
        "until": float(ends[1]),
        "sum": float(rows[:, 1].sum()),
        "attended": pieces[1 + int(received.argmax())],
        "mattered": pieces[1 + int(given.argmax())],
    }
    if len(received) > 2:
        say["rank"] = spearman(received, given)
    return Patch("attribution", {"names": pieces, "values": rows, "say": say})


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Correlation of two orders, from -1 (opposite) to 1 (the same); equal values share their rank."""

    def ranks(values: np.ndarray) -> np.ndarray:
        _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
        return (np.cumsum(counts) - (counts - 1) / 2)[inverse]

    first, second = ranks(a), ranks(b)
    if first.std() == 0 or second.std() == 0:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])
