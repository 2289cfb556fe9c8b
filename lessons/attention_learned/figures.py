"""The board of the lesson in which attention is learned. A head is called "layer.head", as in "2.1"."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from engine.types import Array, Arrays, Tick, Values
from lessons.attention_learned.params import Params
from lessons.attention_learned.task import LETTERS, held_out, read, solution, spelled, tokens
from lessons.board import marks
from lessons.board.colors import CATEGORIES, TRAIN, VALIDATION
from lessons.board.figures import Ask, Figure, Map, Patch, Plot, Size
from lessons.board.marks import Axis, Trace
from lessons.contract import Query, unknown_query
from lessons.text import FigureWords, Words

GREY = "#7a7a7a"
DASHES = ("solid", "dash", "dot")  # one for each layer
ABOVE = {"t": 46, "b": 8}  # room for an axis on top
SHOWN = 6  # held-out sequences written out with and without a head


def draw(params: Params, words: Words) -> dict[str, Figure]:
    """The figures in order of importance."""
    sequences = held_out(params)
    along = tokens(params.task, sequences[0])
    wanted = [spelled(symbols) for symbols in solution(params.task, sequences[:SHOWN])]
    heads = head_names(params)
    texts = words.figures

    def attention(figure: str, **other: Any) -> Map:
        labels = texts[figure].labels
        titles = {"row_title": labels["row"], "column_title": labels["column"]}
        return Map(figure, limits=(0.0, 1.0), **{"rows": along, "columns": along, **titles, **other})

    wide = params.heads * params.length > 48  # so many cells beside each other need the whole width
    tall = 300 if params.layers < 3 else 400
    squares: Values = {"tiles": heads if len(heads) > 1 else [], "across": params.heads}  # a row for each layer
    share = marks.axis(texts[params.job].labels["y"], range=[0, 1], percent=True)
    figures: list[Figure] = [
        attention("heads", size="hero", height=tall, picks=Ask("head", {"head": "tile"}), **squares),
        accuracy(texts["accuracy"], "full" if wide else "half"),
        by_head(params.job, params.job, texts[params.job], heads, share),
        by_head("need", "off", texts["need"], heads, marks.axis(texts["need"].labels["y"], from_zero=True)),
        attention("head", shows="heads", height=380, picks=Ask("head", {"head": "tile", "row": "row", "col": "col"})),
        pair(texts["pair"], params),
        off(texts["off"], heads, wanted[0]),
        loss(params, texts["loss"]),
        without("off_together" if params.off else "without", words, wanted),
    ]
    if params.own:
        labels = tokens(params.task, read(params.own))
        squares |= {"rows": labels, "columns": labels, "size": "full" if wide else "half"}
        figures[2:2] = [own(texts["own"], params), attention("own_heads", height=tall - 70, **squares)]
    return {figure.id: figure for figure in figures}


def asks(params: Params) -> list[Query]:
    """Questions that stand as long as the page is open: the first head, heads off, and a learner's own sequence."""
    standing: list[Query] = [{"name": "head", "args": {"head": 0}}]
    if params.off:
        standing.append({"name": "off", "args": {"off": list(params.off)}})
    if params.own:
        standing.append({"name": "own", "args": {"own": params.own}})
    return standing


def head_names(params: Params) -> list[str]:
    """The heads' names, layer by layer."""
    return [f"{layer + 1}.{head + 1}" for layer in range(params.layers) for head in range(params.heads)]


def line(name: str, scalar: str, form: str, color: str, width: float, dash: str = "", **more: Any) -> Trace:
    """A curve that follows a scalar, empty before its run has begun."""
    hover = f"{name} · %{{x}}: %{{y:{form}}}<extra></extra>"
    return marks.line(name, color, y=scalar, width=width, dash=dash, hover=hover, **more) | {"x": [], "y": []}


def accuracy(text: FigureWords, size: Size) -> Plot:
    """The shares of right letters and of sequences that are right throughout."""
    labels = text.labels
    traces = [
        line(labels["train"], "accuracy", ".1%", TRAIN, 1, opacity=0.7),
        line(labels["symbols"], "val_accuracy", ".1%", VALIDATION, 1.5, "dot"),
        line(labels["exact"], "val_exact", ".1%", VALIDATION, 3),
    ]
    up = marks.axis(labels["y"], range=[0, 1.02], percent=True)
    return marks.plot("accuracy", traces, marks.axis(labels["x"]), up, size=size)


def by_head(figure: str, scalar: str, text: FigureWords, heads: list[str], up: Axis) -> Plot:
    """A curve for each head: its number is its colour, its layer its dash. For "off" one more, with all heads on."""
    form = ".1%" if "tickformat" in up else ".4f"
    traces = []
    if scalar == "off":
        traces.append(line(text.labels["all"], "off.none", form, GREY, 4, opacity=0.6))
    for name in heads:
        layer, head = (int(part) - 1 for part in name.split("."))
        traces.append(line(name, f"{scalar}.{name}", form, CATEGORIES[head], 2, DASHES[layer]))
    tall = 260 + 20 * math.ceil(len(traces) / 4)  # the curves' names stand above in rows of about four
    return marks.plot(figure, traces, marks.axis(text.labels["x"]), up, height=tall, switch=scalar == "off")


def loss(params: Params, text: FigureWords) -> Plot:
    """Cross-entropy by step, with the line of blind guessing."""
    labels = text.labels
    traces = [
        line(labels["train"], "loss", ".4f", TRAIN, 1, opacity=0.7),
        line(labels["validation"], "val_loss", ".4f", VALIDATION, 2.5),
    ]
    across, up = marks.axis(labels["x"]), marks.axis(labels["y"], from_zero=True)
    guessing = marks.guide(math.log(params.symbols), labels["guessing"], GREY)
    return marks.plot("loss", traces, across, up, switch=True, **guessing)


def letter_cells(name: str, text: FigureWords, **other: Any) -> Trace:
    """Letters in coloured cells: what is written, and the probability that the right letter got there."""
    look = {"zmin": 0, "zmax": 1, "colorscale": "Viridis", "showscale": False, "xgap": 1, "ygap": 2}
    look["textfont"] = {"size": 12}  # or its size would follow the longest text, with what marks a wrong letter
    hover = f"%{{text}} · {text.labels['chance']} %{{z:.1%}}<extra></extra>"
    look |= {"texttemplate": "%{text}", "hovertemplate": hover}
    return marks.custom("heatmap", name, z=[], text=[], **look, **other)


def over(wanted: list[str], title: str) -> Axis:
    """An x axis above the cells that names the right letters."""
    ends, places = [-0.5, len(wanted) - 0.5], list(range(len(wanted)))
    ticks = marks.axis(title, side="top", range=ends, tickmode="array", tickvals=places, ticktext=wanted)
    return ticks | {"showgrid": False, "zeroline": False}


def down(rows: list[str], title: str) -> Axis:
    """A y axis of words from the top down."""
    ends, places = [len(rows) - 0.5, -0.5], list(range(len(rows)))
    ticks = marks.axis(title, range=ends, tickmode="array", tickvals=places, ticktext=rows)
    return ticks | {"showgrid": False, "zeroline": False}


def off(text: FigureWords, heads: list[str], wanted: list[str]) -> Plot:
    """What is written after the example with all heads on, and with each switched off."""
    rows = [text.labels["all"], *(f"−{name}" for name in heads)]
    across, up = over(wanted, text.labels["x"]), down(rows, text.labels["y"])
    return marks.plot(
        "off", [letter_cells("off", text)], across, up, margin=ABOVE, height=max(300, 18 * len(rows) + 60)
    )


def without(figure: str, words: Words, wanted: list[list[str]]) -> Plot:
    """Some held-out sequences with all heads on (left) and without the one or the ones chosen (right)."""
    text = words.figures[figure]
    rows = ["".join(sequence) for sequence in wanted]
    numbers = [str(place + 1) for place in range(len(wanted[0]))]
    return marks.plot(
        figure,
        [letter_cells("on", text), letter_cells("off", text, xaxis="x2")],
        over(numbers, text.labels["on"]) | {"domain": [0, 0.48]},
        down(rows, text.labels["y"]) | {"tickfont": {"family": "monospace"}},
        xaxis2=over(numbers, text.labels["off"]) | {"domain": [0.52, 1]},
        margin=ABOVE,
        size="full",
        height=60 + 26 * len(rows),
    )


def pair(text: FigureWords, params: Params) -> Plot:
    """Two vectors of one head and their product, number by number."""
    inner = list(range(1, params.width // params.heads + 1))
    colors = {"q": TRAIN, "k": VALIDATION, "q·k": GREY}
    traces = [marks.bars(name, color, x=inner, y=[]) for name, color in colors.items()]
    across, up = marks.axis(text.labels["x"]), marks.axis(text.labels["y"], zeroline=True)
    return marks.plot("pair", traces, across, up, barmode="group")


def own(text: FigureWords, params: Params) -> Plot:
    """What is written after a learner's own sequence."""
    wanted = spelled(solution(params.task, read(params.own)[None])[0])
    across, up = over(wanted, text.labels["x"]), down([params.own], text.labels["y"])
    return marks.plot("own", [letter_cells("own", text)], across, up, margin=ABOVE, height=150)


def update(params: Params, tick: Tick) -> list[Patch]:
    """The example's maps, and what is written after it with each head off."""
    arrays = tick.arrays
    if not arrays:
        return []
    weights, written, chances = arrays["weights"], arrays["letters"], arrays["chances"]
    wanted = solution(params.task, held_out(params)[:1])
    right = (written == wanted).sum(1)
    worst = 1 + int(chances[1:].mean(1).argmin())
    rows = weights[:, params.length :]
    most, row, _ = np.unravel_index(int(rows.argmax()), rows.shape)
    strongest = {"heads": len(weights), "most": float(rows.max()), "symbol": int(row) + 1, **place(params, int(most))}
    reading = {"length": params.length, "right": int(right[0]), "left": int(right[worst]), **place(params, worst - 1)}
    return [
        Patch("heads", {"tiles": weights, "say": strongest}),
        Patch("off", cells(written, chances, wanted) | {"say": reading}, "off"),
    ]


def place(params: Params, head: int) -> Values:
    """A head's number as its layer and its place in it, from 1."""
    return {"layer": head // params.heads + 1, "head": head % params.heads + 1}


def cells(written: Array, chances: Array, right: Array) -> Values:
    """Letters (rows, places) on the colours of their probabilities; those that are not `right` stand out."""
    wrong = written != np.broadcast_to(right, written.shape)
    text = [
        [f"<b><u>{LETTERS[letter]}</u></b>" if marked else LETTERS[letter] for letter, marked in zip(*row, strict=True)]
        for row in zip(written.astype(int).tolist(), wrong.tolist(), strict=True)
    ]
    return {"z": chances.astype(np.float32), "text": text}


def compared(figure: str, arrays: Arrays, say: Values) -> list[Patch]:
    """What is written with all heads on and with some off, and how well."""
    measured: Values = {"count": int(arrays["count"])}
    for number, suffix in enumerate(("on", "off")):
        measured |= {f"{score}_{suffix}": float(arrays[score][number]) for score in ("loss", "accuracy", "exact")}
    on, off = (cells(*both, arrays["answers"]) for both in zip(arrays["letters"], arrays["chances"], strict=True))
    return [Patch(figure, on, "on"), Patch(figure, off | {"say": say | measured}, "off")]


def answer(params: Params, name: str, args: Values, arrays: Arrays) -> list[Patch]:
    """What `compute.look` answered, as patches."""
    if name == "head":
        named_head = {"step": int(arrays["step"]), **place(params, int(arrays["head"]))}
        q, k, row, col = arrays["q"], arrays["k"], int(arrays["row"]), int(arrays["col"])
        made: Values = {"row": row + 1, "col": col + 1, "dot": float(q @ k), "width": len(q)}
        made |= {key: float(arrays[key]) for key in ("score", "weight")}
        return [
            *compared("without", arrays, named_head),
            Patch("head", {"select": [0, row, col]}),
            Patch("pair", {"y": q}, "q"),
            Patch("pair", {"y": k}, "k"),
            Patch("pair", {"y": q * k, "say": named_head | made}, "q·k"),
        ]
    if name == "off":
        heads = [int(head) for head in arrays["heads"]]
        names = ", ".join(head_names(params)[head] for head in heads)
        return [
            *compared("off_together", arrays, {"step": int(arrays["step"]), "names": names}),
            Patch("heads", {"crossed": heads}),
        ]
    if name == "own":
        right = int((arrays["letters"] == arrays["answers"]).sum())
        reading = {"step": int(arrays["step"]), "right": right, "length": len(arrays["letters"])}
        written = cells(arrays["letters"][None], arrays["chances"][None], arrays["answers"])
        return [
            Patch("own", written | {"say": reading}, "own"),
            Patch("own_heads", {"tiles": arrays["weights"]}),
        ]
    raise unknown_query(name)
