"""The marks of a plot: lines, dots, bars and axes as plotly has them, and what the board adds to plotly.

A mark's `x`, `y` and `z` are channels:

    y="loss"                   the history of the scalar "loss"; "step" is the step, and x's default beside it
    y=now("left", "right")     these scalars at the playhead alone, None among them breaking the line
    y=[0.5, 1.0]               numbers that stay as they are until a patch brings others

So `line("loss", TRAIN, y="train")` is a curve by step. Every mark is a plotly trace, a dictionary, in which the board's
own parts stand under the keys "bind", "hold", "draw", "band", "first" and "key" (lessons/board/figures.py, Plot). All
marks also take plotly's own attributes, those of `Attributes`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, TypedDict, Unpack

import numpy.typing as npt

from lessons.board.colors import GREY, WHITE
from lessons.board.figures import Pick, Plot, Size
from lessons.board.handles import Carried, OnCurve, Sketch

Trace: TypeAlias = dict[str, Any]
Axis: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Now:
    """Scalars at the playhead; see `now`."""

    scalars: tuple[str | None, ...]


Channel: TypeAlias = str | Now | Sequence[Any]


def now(*scalars: str | None) -> Now:
    """A channel of these scalars as they are at the playhead; None breaks the line."""
    return Now(scalars)


class Attributes(TypedDict, total=False):
    """What every mark takes beside its own arguments: plotly's attributes, and the board's `key`, `hold`, `draw`."""

    key: str  # what patches call the trace, where its name is a word of the page's language
    hold: OnCurve | Carried
    draw: Sketch
    legendgroup: str
    legendrank: int
    showlegend: bool
    visible: bool | Literal["legendonly"]
    opacity: float
    xaxis: str
    yaxis: str
    text: Sequence[str]
    texttemplate: str
    textposition: str
    textfont: Mapping[str, Any]
    textangle: float
    cliponaxis: bool
    customdata: Any
    hoverinfo: str
    fill: str
    fillcolor: str
    stackgroup: str
    offsetgroup: str
    orientation: str


def custom(kind: str, name: str, **attributes: Any) -> Trace:
    """A trace of any plotly type, with its attributes as plotly names them."""
    return {"type": kind, "name": name, **attributes}


def line(
    name: str,
    color: str = "",
    *,
    x: Channel | None = None,
    y: Channel | None = None,
    z: Channel | None = None,
    width: float = 2,
    dash: str = "",
    shape: str = "",
    dots: Mapping[str, Any] | None = None,
    hover: str = "",
    **more: Unpack[Attributes],
) -> Trace:
    """A line through points, with `dots` (see `dot`, {} for plotly's own) on them; three-dimensional if there is a z.

    `hover` is plotly's hovertemplate.
    """
    stroke = {"width": width, **given(color=color, dash=dash, shape=shape)}
    own: Trace = {"mode": "lines+markers" if dots is not None else "lines", "line": stroke}
    if dots:
        own["marker"] = dict(dots)
    return scatter(name, (x, y, z), hover, own, more)


def dots(
    name: str,
    marker: Mapping[str, Any],
    *,
    x: Channel | None = None,
    y: Channel | None = None,
    z: Channel | None = None,
    texts: bool = False,
    hover: str = "",
    **more: Unpack[Attributes],
) -> Trace:
    """Points that look like `marker` (see `dot`); with `texts`, `text` or `texttemplate` stands beside them."""
    own = {"mode": "markers+text" if texts else "markers", "marker": dict(marker)}
    return scatter(name, (x, y, z), hover, own, more)


def bars(
    name: str,
    color: str | Sequence[str],
    *,
    x: Channel | None = None,
    y: Channel | None = None,
    label: str = "",
    marker: Mapping[str, Any] | None = None,
    hover: str = "",
    **more: Unpack[Attributes],
) -> Trace:
    """Bars; with `label`, plotly's texttemplate, a number stands at the end of each."""
    own: Trace = {"type": "bar", "name": name, "marker": {"color": color, **(marker or {})}}
    if label:
        own |= {"texttemplate": label, "textposition": "outside", "cliponaxis": False}
    return own | channels(x, y, None) | given(hovertemplate=hover) | attributes(more)


def arrow(
    name: str,
    color: str,
    *,
    x: Now,
    y: Now,
    width: float = 3,
    head: float,
    dash: str = "",
    solid: bool = False,
    hover: str = "",
    **more: Unpack[Attributes],
) -> Trace:
    """An arrow between two points, with a head of `head` pixels; `solid`, the head is as opaque as the line."""
    shape: Trace = {"symbol": "arrow", "angleref": "previous", "size": [0, head], "color": color}
    if solid:
        shape["opacity"] = 1
    return line(name, color, x=x, y=y, width=width, dash=dash, dots=shape, hover=hover, **more)


def upright(name: str, x: float, ends: tuple[float, float], curve: str, **more: Unpack[Attributes]) -> Trace:
    """A dashed vertical handle at `x` that moves with the pointer along the line named `curve`."""
    own: Attributes = {"hold": OnCurve(curve, upright=True), "showlegend": False, "hoverinfo": "skip", **more}
    return line(name, GREY, x=[x, x], y=list(ends), width=1, dash="dash", **own)


def band(name: str, prefix: str, color: str, first: int = 0) -> Trace:
    """The scalars `prefix`0, `prefix`1, ... of many runs, which are numbered from `first`.

    Drawn as their median and the spread of the middle half and of all of them.
    """
    return {
        "type": "scatter",
        "name": name,
        "band": prefix,
        "first": first,
        "line": {"width": 2, "color": color},
    }


def dot(
    color: str | Sequence[str] = "",
    size: float | None = None,
    symbol: str = "",
    edge: float | None = None,
    edge_color: str = WHITE,
    opacity: float | None = None,
) -> Trace:
    """How a dot looks, in plotly's terms: an `edge` is so many pixels wide; of `edge_color` "" it takes the dot's."""
    look = given(color=color, symbol=symbol)
    if size is not None:
        look["size"] = size
    if opacity is not None:
        look["opacity"] = opacity
    if edge is not None:
        look["line"] = {"width": edge, **given(color=edge_color)}
    return look


class AxisAttributes(TypedDict, total=False):
    """plotly's attributes of an axis."""

    range: Sequence[float]
    domain: Sequence[float]
    anchor: str
    overlaying: str
    side: str
    type: str
    autorange: bool | str
    autorangeoptions: Mapping[str, Any]
    constrain: str
    scaleanchor: str
    fixedrange: bool
    tickmode: str
    tickvals: Sequence[float]
    ticktext: Sequence[str]
    tickfont: Mapping[str, Any]
    tickformat: str
    nticks: int
    dtick: float
    zeroline: bool
    showgrid: bool
    exponentformat: str


HIDDEN: Axis = {"visible": False}


def axis(
    title: str,
    *,
    log: bool = False,
    from_zero: bool = False,
    percent: bool = False,
    powers: bool = False,
    **more: Unpack[AxisAttributes],
) -> Axis:
    """An axis with its name: logarithmic, from zero on, in whole percent, with large numbers as powers of ten."""
    flags: Axis = {}
    if log:
        flags["type"] = "log"
    if from_zero:
        flags["rangemode"] = "tozero"
    if percent:
        flags["tickformat"] = ".0%"
    if powers:
        flags["exponentformat"] = "power"
    return {"title": {"text": title}, **flags, **more}


def share_axis(title: str) -> Axis:
    """An axis for shares of a whole: from 0 to 100 %, with a little air."""
    return axis(title, range=[-0.02, 1.02], percent=True)


class Layout(TypedDict, total=False):
    """plotly's attributes of a layout, the further axes among them."""

    xaxis2: Axis
    yaxis2: Axis
    yaxis3: Axis
    hovermode: Literal["x unified", "closest", False]
    showlegend: bool
    legend: Mapping[str, Any]
    barmode: str
    bargap: float
    margin: Mapping[str, float]
    scene: Mapping[str, Any]
    shapes: Sequence[Mapping[str, Any]]
    annotations: Sequence[Mapping[str, Any]]


LEGEND_ABOVE = {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0}


def plot(
    id: str,
    traces: Iterable[Trace],
    x: Axis,
    y: Axis,
    *,
    size: Size = "half",
    height: int = 300,
    switch: bool = False,
    picks: Pick | None = None,
    **layout: Unpack[Layout],
) -> Plot:
    """A plot of these marks between these axes; the marks are drawn in their order, later ones on top."""
    return Plot(id, list(traces), {"xaxis": x, "yaxis": y, **layout}, size, height, switch, picks)


def guide(y: float, text: str, color: str) -> Layout:
    """A dotted line across a plot at `y` with a word on it, as parts of the layout."""
    stroke = {"color": color, "width": 1, "dash": "dot"}
    note = {"xref": "paper", "x": 1, "y": y, "xanchor": "right", "yanchor": "bottom", "showarrow": False}
    return {
        "shapes": [{"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": y, "y1": y, "line": stroke}],
        "annotations": [note | {"text": text, "font": {"color": color, "size": 11}}],
    }


def rounded(values: npt.NDArray[Any], digits: int) -> list[float]:
    """Numbers with so many significant digits: short as JSON, and more than a screen shows."""
    return [float(f"{value:.{digits}g}") for value in values.tolist()]


def positive(values: npt.NDArray[Any], digits: int) -> list[float | None]:
    """The same for a logarithmic axis: None, a gap, for what is zero, negative, infinite or no number."""
    return [float(f"{value:.{digits}g}") if math.isfinite(value) and value > 0 else None for value in values.tolist()]


# how a mark becomes a trace


def scatter(name: str, xyz: tuple[Channel | None, ...], hover: str, own: Trace, more: Attributes) -> Trace:
    x, y, z = xyz
    kind = "scatter" if z is None else "scatter3d"
    return {"type": kind, "name": name, **own, **channels(x, y, z), **given(hovertemplate=hover), **attributes(more)}


def channels(x: Channel | None, y: Channel | None, z: Channel | None) -> Trace:
    """The trace's data, and under "bind" the scalars that fill it."""
    if x is None and isinstance(y, str):
        x = "step"
    data: Trace = {}
    bind: Trace = {}
    for key, channel in (("x", x), ("y", y), ("z", z)):
        if isinstance(channel, str):
            bind[key] = channel
        elif isinstance(channel, Now):
            bind[key] = list(channel.scalars)
        elif channel is not None:
            data[key] = channel
    return data | ({"bind": bind} if bind else {})


def attributes(more: Attributes) -> Trace:
    """Attributes as JSON."""
    parts = (OnCurve, Carried, Sketch)
    return {key: value.json() if isinstance(value, parts) else value for key, value in more.items()}
    return {}


def given(**values: Any) -> Trace:
    """Those that are not empty."""
    return {key: value for key, value in values.items() if len(value) > 0}
