"""The board of the lesson in which attention is learned. A head is called "layer.head", as in "2.1"."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from engine.types import Array, Arrays, Problem, Tick, Values
from lessons.attention_learned.params import Params
from lessons.attention_learned.task import LETTERS, held_out, read, solution, spelled, tokens
from lessons.board.colors import CATEGORIES, TRAIN, VALIDATION
from lessons.board.figures import Ask, Figure, Map, Patch, Plot, Size
from lessons.text import FigureWords, Words

GREY = "#7a7a7a"
DASHES = ("solid", "dash", "dot")  # one for each layer
ABOVE = {"t": 46, "b": 8}  # room for an axis on top
SHOWN = 6  # held-out sequences written out with and without a head


def draw(params: Params, words: Words) -> dict[str, Figure]:
    """The figures in order of importance."""
    kept = held_out(params)
    along = tokens(params.task, kept[0])
    wanted = [spelled(one) for one in solution(params.task, kept[:SHOWN])]
    heads = named(params)

    def say(figure: str) -> FigureWords:
        return words.figures[figure]

    def attention(figure: str, **other: Any) -> Map:
        labels = say(figure).labels
        titles = {"row_title": labels["row"], "column_title": labels["column"]}
        return Map(figure, limits=(0.0, 1.0), **{"rows": along, "columns": along, **titles, **other})

    wide = params.heads * params.length > 48  # so many cells beside each other need the whole width
    tall = 300 if params.layers < 3 else 400
    squares: Values = {"tiles": heads if len(heads) > 1 else [], "across": params.heads}  # a row for each layer
    figures: list[Figure] = [
        attention("heads", size="hero", height=tall, picks=Ask("head", {"head": "tile"}), **squares),
        accuracy(say("accuracy"), "full" if wide else "half"),
        by_head(params.job, params.job, say(params.job), heads, {"range": [0, 1], "tickformat": ".0%"}),
        by_head("need", "off", say("need"), heads, {"rangemode": "tozero"}),
        attention("head", shows="heads", height=380, picks=Ask("head", {"head": "tile", "row": "row", "col": "col"})),
        pair(say("pair"), params),
        off(say("off"), heads, wanted[0]),
        loss(params, say("loss")),
        without("off_together" if params.off else "without", words, wanted),
    ]
    if params.own:
        labels = tokens(params.task, read(params.own))
        squares |= {"rows": labels, "columns": labels, "size": "full" if wide else "half"}
        mine = attention("own_heads", height=tall - 70, **squares)
        figures[2:2] = [own(say("own"), params), mine]
    return {figure.id: figure for figure in figures}


def asks(params: Params) -> list[Values]:
    """Questions that stand as long as the page is open: the first head, heads off, and a learner's own sequence."""
    standing: list[Values] = [{"name": "head", "args": {"head": 0}}]
    if params.off:
        standing.append({"name": "off", "args": {"off": list(params.off)}})
    if params.own:
        standing.append({"name": "own", "args": {"own": params.own}})
    return standing


def named(params: Params) -> list[str]:
    """The heads' names, layer by layer."""
    return [f"{layer + 1}.{head + 1}" for layer in range(params.layers) for head in range(params.heads)]


def axes(say: FigureWords, y: Values) -> Values:
    return {"xaxis": {"title": {"text": say.labels["x"]}}, "yaxis": {"title": {"text": say.labels["y"]}, **y}}


def line(name: str, scalar: str, form: str, style: Values) -> Values:
    """A curve that follows a scalar."""
    trace = {"type": "scatter", "mode": "lines", "name": name, "x": [], "y": [], "bind": {"x": "step", "y": scalar}}
    return trace | {"hovertemplate": f"{name} · %{{x}}: %{{y:{form}}}<extra></extra>"} | style


def accuracy(say: FigureWords, size: Size) -> Plot:
    labels = say.labels
    traces = [
        line(labels["train"], "accuracy", ".1%", {"line": {"color": TRAIN, "width": 1}, "opacity": 0.7}),
        line(labels["symbols"], "val_accuracy", ".1%", {"line": {"color": VALIDATION, "width": 1.5, "dash": "dot"}}),
        line(labels["exact"], "val_exact", ".1%", {"line": {"color": VALIDATION, "width": 3}}),
    ]
    return Plot("accuracy", traces, axes(say, {"range": [0, 1.02], "tickformat": ".0%"}), size, height=300)


def by_head(figure: str, scalar: str, say: FigureWords, heads: list[str], y: Values) -> Plot:
    """A curve for each head: its number is its colour, its layer its dash. For "off" one more, with all heads on."""
    form = ".1%" if y.get("tickformat") else ".4f"
    traces = []
    for name in heads:
        layer, head = (int(part) - 1 for part in name.split("."))
        style = {"color": CATEGORIES[head], "width": 2, "dash": DASHES[layer]}
        traces.append(line(name, f"{scalar}.{name}", form, {"line": style}))
    if scalar == "off":
        style = {"color": GREY, "width": 4}
        traces.insert(0, line(say.labels["all"], "off.none", form, {"line": style, "opacity": 0.6}))
    tall = 260 + 20 * math.ceil(len(traces) / 4)  # the curves' names stand above in rows of about four
    return Plot(figure, traces, axes(say, y), height=tall, switch=scalar == "off")


def loss(params: Params, say: FigureWords) -> Plot:
    """Cross-entropy by step, with the line of blind guessing."""
    labels, guess = say.labels, math.log(params.symbols)
    traces = [
        line(labels["train"], "loss", ".4f", {"line": {"color": TRAIN, "width": 1}, "opacity": 0.7}),
        line(labels["validation"], "val_loss", ".4f", {"line": {"color": VALIDATION, "width": 2.5}}),
    ]
    layout = axes(say, {"rangemode": "tozero"})
    dotted = {"color": GREY, "width": 1, "dash": "dot"}
    layout["shapes"] = [{"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": guess, "y1": guess, "line": dotted}]
    note = {"xref": "paper", "x": 1, "y": guess, "xanchor": "right", "yanchor": "bottom", "showarrow": False}
    layout["annotations"] = [note | {"text": labels["guessing"], "font": {"color": GREY, "size": 11}}]
    return Plot("loss", traces, layout, height=300, switch=True)


def letters(name: str, say: FigureWords, **other: Any) -> Values:
    """Letters in coloured cells: what is written, and the probability that the right letter got there."""
    trace: Values = {"type": "heatmap", "name": name, "z": [], "text": [], "texttemplate": "%{text}"}
    trace["textfont"] = {"size": 12}  # or its size would follow the longest text, with what marks a wrong letter
    trace |= {"zmin": 0, "zmax": 1, "colorscale": "Viridis", "showscale": False, "xgap": 1, "ygap": 2}
    return trace | {"hovertemplate": f"%{{text}} · {say.labels['chance']} %{{z:.1%}}<extra></extra>"} | other


def over(wanted: list[str], title: str) -> Values:
    """An x axis above the cells that names the right letters."""
    places = list(range(len(wanted)))
    ticks = {"tickmode": "array", "tickvals": places, "ticktext": wanted, "range": [-0.5, len(wanted) - 0.5]}
    return {"title": {"text": title}, "side": "top", "showgrid": False, "zeroline": False, **ticks}


def down(rows: list[str], title: str) -> Values:
    """A y axis of words from the top down."""
    ticks = {"tickmode": "array", "tickvals": list(range(len(rows))), "ticktext": rows}
    limits = {"range": [len(rows) - 0.5, -0.5], "showgrid": False, "zeroline": False}
    return {"title": {"text": title}, **ticks, **limits}


def off(say: FigureWords, heads: list[str], wanted: list[str]) -> Plot:
    """What is written after the example with all heads on, and with each switched off."""
    rows = [say.labels["all"], *(f"−{name}" for name in heads)]
    layout = {"xaxis": over(wanted, say.labels["x"]), "yaxis": down(rows, say.labels["y"]), "margin": ABOVE}
    return Plot("off", [letters("off", say)], layout, height=max(300, 18 * len(rows) + 60))


def without(figure: str, words: Words, wanted: list[list[str]]) -> Plot:
    """Some held-out sequences with all heads on (left) and without the one or the ones chosen (right)."""
    say = words.figures[figure]
    rows = ["".join(one) for one in wanted]
    numbers = [str(place + 1) for place in range(len(wanted[0]))]
    layout = {
        "margin": ABOVE,
        "xaxis": over(numbers, say.labels["on"]) | {"domain": [0, 0.48]},
        "xaxis2": over(numbers, say.labels["off"]) | {"domain": [0.52, 1]},
        "yaxis": down(rows, say.labels["y"]) | {"tickfont": {"family": "monospace"}},
    }
    traces = [letters("on", say), letters("off", say, xaxis="x2")]
    return Plot(figure, traces, layout, size="full", height=60 + 26 * len(rows))


def pair(say: FigureWords, params: Params) -> Plot:
    """Two vectors of one head and their product, number by number."""
    inner = list(range(1, params.width // params.heads + 1))
    colours = {"q": TRAIN, "k": VALIDATION, "q·k": GREY}
    traces: list[Values] = [
        {"type": "bar", "name": name, "x": inner, "y": [], "marker": {"color": colour}}
        for name, colour in colours.items()
    ]
    return Plot("pair", traces, axes(say, {"zeroline": True}) | {"barmode": "group"}, height=300)


def own(say: FigureWords, params: Params) -> Plot:
    """What is written after a learner's own sequence."""
    wanted = spelled(solution(params.task, read(params.own)[None])[0])
    layout = {"xaxis": over(wanted, say.labels["x"]), "yaxis": down([params.own], say.labels["y"]), "margin": ABOVE}
    return Plot("own", [letters("own", say)], layout, height=150)


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
    said = {"length": params.length, "right": int(right[0]), "left": int(right[worst]), **place(params, worst - 1)}
    return [
        Patch("heads", {"tiles": weights, "say": strongest}),
        Patch("off", cells(written, chances, wanted) | {"say": said}, "off"),
    ]


def place(params: Params, head: int) -> Values:
    """A head's number as its layer and its place in it, from 1."""
    return {"layer": head // params.heads + 1, "head": head % params.heads + 1}


def cells(written: Array, chances: Array, right: Array) -> Values:
    """Letters (rows, places) on the colours of their probabilities; those that are not `right` stand out."""
    text = [
        [LETTERS[int(one)] if one == wanted else f"<b><u>{LETTERS[int(one)]}</u></b>" for one, wanted in pairs]
        for pairs in (
            zip(*rows, strict=True) for rows in zip(written, np.broadcast_to(right, written.shape), strict=True)
        )
    ]
    return {"z": chances.astype(np.float32), "text": text}


def compared(figure: str, arrays: Arrays, say: Values) -> list[Patch]:
    """What is written with all heads on and with some off, and how well."""
    measured: Values = {"count": int(arrays["count"])}
    for number, suffix in enumerate(("on", "off")):
        measured |= {f"{one}_{suffix}": float(arrays[one][number]) for one in ("loss", "accuracy", "exact")}
    on, off = (cells(*both, arrays["answers"]) for both in zip(arrays["letters"], arrays["chances"], strict=True))
    return [Patch(figure, on, "on"), Patch(figure, off | {"say": say | measured}, "off")]


def answer(params: Params, name: str, args: Mapping[str, Any], arrays: Arrays) -> list[Patch]:
    """What `compute.look` answered, as patches."""
    if name == "head":
        named_head = {"step": int(arrays["step"]), **place(params, int(arrays["head"]))}
        q, k, row, col = arrays["q"], arrays["k"], int(arrays["row"]), int(arrays["col"])
        made: Values = {"row": row + 1, "col": col + 1, "dot": float(q @ k), "width": len(q)}
        made |= {one: float(arrays[one]) for one in ("score", "weight")}
        return [
            *compared("without", arrays, named_head),
            Patch("head", {"select": [0, row, col]}),
            Patch("pair", {"y": q}, "q"),
            Patch("pair", {"y": k}, "k"),
            Patch("pair", {"y": q * k, "say": named_head | made}, "q·k"),
        ]
    if name == "off":
        heads = [int(head) for head in arrays["heads"]]
        names = ", ".join(named(params)[head] for head in heads)
        return [
            *compared("off_together", arrays, {"step": int(arrays["step"]), "names": names}),
            Patch("heads", {"crossed": heads}),
        ]
    if name == "own":
        right = int((arrays["letters"] == arrays["answers"]).sum())
        said = {"step": int(arrays["step"]), "right": right, "length": len(arrays["letters"])}
        return [
            Patch(
                "own", cells(arrays["letters"][None], arrays["chances"][None], arrays["answers"]) | {"say": said}, "own"
            ),
            Patch("own_heads", {"tiles": arrays["weights"]}),
        ]
    raise Problem(f"There is no question named {name!r:.40} here.", f"这里没有名为 {name!r:.40} 的提问。")
