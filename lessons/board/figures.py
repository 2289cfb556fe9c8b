"""What a lesson puts on the board: seven kinds of figure, the patches that move them, and what a gesture means.

Everything here is plain data. `draw(params, words)` makes the figures once; after that

* a plotly trace with "bind" follows the scalars by itself, up to wherever the viewer's playhead is;
* `update(params, tick)` turns the arrays of a frame into patches, each complete in itself;
* `answer(params, name, args, arrays)` turns the answer to an Ask into patches.

So a figure at step k is its spec, the scalars up to k, and the patches of the last frame at or before k:
lessons/board/fold.py does that in Python, the browser does the same. The marks of a Plot are in lessons/board/marks.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, NotRequired, TypeAlias, TypedDict

from engine.types import Values

Size: TypeAlias = Literal["hero", "half", "third", "full"]


@dataclass(frozen=True, slots=True)
class Ask:
    """A click asks `compute.look(job, state, name, args)`; the answer's patches come back over the live socket.

    `args` maps argument names to fields of the event: a plot gives x, y, z, index, trace; a map row, col, tile,
    value; a graph node, edge, name; a strip index; links from, to; a table row, name. With `follow` the question is
    asked again as the playhead moves.
    """

    name: str
    args: Mapping[str, str] = field(default_factory=dict)
    follow: bool = True


@dataclass(frozen=True, slots=True)
class Choose:
    """A click (or the release of a drag) sets settings: {"start_x": "x"} puts the event's x into start_x.

    A setting of several names takes or loses the one that was clicked on. Settings that only change the view do not
    start a run. A lesson's figures may have `on_choose` (lessons/contract.py), which makes settings of what a
    gesture gave, where that is more than a value: a stroke of points, a weight.
    """

    sets: Mapping[str, str]


Pick: TypeAlias = Ask | Choose


@dataclass(frozen=True, slots=True)
class Plot:
    """A plotly figure as plain dictionaries. A trace may have "bind":

        {"x": "step", "y": "loss"}            its points are the history of these scalars ("step" is the step)
        {"x": ["a", "b", null], "y": [...]}   its points are these scalars at the playhead alone; null breaks the line

    The keys of "bind" are attributes of the trace ("x", "y", "z", "text", "marker.size"). A trace with "band": PREFIX
    instead stands for many runs over the steps, the scalars PREFIX0, PREFIX1, ...: their median as a line, two pale
    shapes that hold the middle half and all of them, and, by itself, the one the pointer is nearest to, with its
    number counted from "first". A trace needs a "name";
    a patch addresses it by that name. `switch` offers the reader a log or linear y axis.

    In a plot with `picks` Choose of x, a trace with "hold" is a handle: while the pointer is down on the plot it moves
    with it, from sample to sample of a curve, so that what it shows are numbers of that curve:

        {"curve": NAME}                   one point on the trace of that name
        {"curve": NAME, "slope": OTHER}   a line through that point, as steep as the other trace's y says
        {"curve": NAME, "upright": True}  all of its x at that point's x; its y stay

    With "say": KEY the point's y fills the figure's reading, and its x as "x".

    A trace of one point with "hold" {"free": {"y": {"sets": SETTING, "from": -5, "to": 5, "by": 0.1}}} is picked up
    and carried along x, y or both; where it is let go are these settings. Of several the nearest is picked up.

    On a plot where a trace has "draw": {"sets": SETTING, "from": 0.1, "to": 10} a press draws that trace: its x stay,
    its y (null: nothing drawn there) follow the pointer between these two ends, and go to the setting (a Text) as
    numbers of up to four decimals with a comma between, "" for null. With "against": NAME, a trace bound to scalars,
    and "say": KEY, the factor by which the drawing is off that trace (the geometric mean over all x that both have)
    fills the reading.

    A patch finds a trace by its "key" where it has one, so that its name may be a word of the page's language.
    """

    id: str
    traces: list[dict[str, Any]]
    layout: dict[str, Any] = field(default_factory=dict)
    size: Size = "half"
    height: int = 300
    switch: bool = False
    picks: Pick | None = None
    kind: Literal["plot"] = "plot"


@dataclass(frozen=True, slots=True)
class Map:
    """Tiles of cells on a canvas: filters, activation maps, a confusion matrix, a decision boundary.

    With `shows`, the id of another map, it shows the tile picked there (the first, until one is) in full, with the
    names of rows and columns; in its picks "tile" is that tile. If that is a network, it shows the map of the unit
    that is pointed at there, and its own tile while none is.

    Patch data: tiles, numbers (n, rows, columns), or uint8 (n, rows, columns, 3) for `colours` "rgb"; optionally
    `select` [tile, row, column], `crossed` [tile, …], and `rows` and `columns`, names instead of the figure's own.
    `limits`: "each" (a tile's own range), "all" (one range for all), or [low, high].
    "diverging" puts white at zero, blue above, orange below. `numbers` writes each cell's value into it. `smooth`
    blends the colours between cells. With `span` the tiles are bytes, and 0 to 255 stand for its two ends.
    With `limits` as well, the colours end there; what is pointed at is said as it is.
    `across` tiles stand beside each other (0: as many as fit best). `by_tile`: a tile is one thing to point at, `rows`
    and `columns` name the rows and columns of tiles, and a click also gives `name`, the tile's.

    `marks`, one for each row of cells or "", stand beside every row of tiles where there are several.

    A name in `tiles` may have several lines, and may be a reading (lessons/board/readings.py) of the moment on show.
    Patch data `dots`, uint8 (n, 3), are drawn on every tile: across and down in 255ths of it, and a class, odd blue and
    even orange, pale below 2 and dark from 2 on. With a `palette` the class is a place in it;
    from 128 on, 128 less, with a dark edge.

    `plane` is the range of both axes of which a tile shows every place, from its upper left on: the axes are drawn,
    and a cell is named by where its centre lies. With `exact` the cell that is pointed at is asked about: the question
    of that name gets `unit` (of the network that it shows; -1 for its own tile), `row` and `col`, and its answer says
    {"exact": [unit, row, col, value]}.

    A pick of "stroke" gets the places that a press and a drag go over: a list of [across, down], from 0 to 1.
    """

    id: str
    colours: Literal["diverging", "sequential", "rgb"] = "sequential"
    limits: Literal["each", "all"] | tuple[float, float] = "all"
    rows: list[str] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    tiles: list[str] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)
    row_title: str = ""
    column_title: str = ""
    numbers: bool = False
    size: Size = "half"
    height: int = 300
    picks: Pick | None = None
    across: int = 0
    by_tile: bool = False
    shows: str = ""
    smooth: bool = False
    span: tuple[float, float] | None = None
    plane: tuple[float, float] | None = None
    exact: str = ""
    palette: tuple[str, ...] = ()
    kind: Literal["map"] = "map"


class GraphNode(TypedDict):
    """A node at `x` and `y`, 0 to 1, x to the right and y down; `name`, `edit` and `asks` see Graph."""

    id: str
    label: str
    x: float
    y: float
    note: NotRequired[str]
    name: NotRequired[str]
    edit: NotRequired[str]
    asks: NotRequired[str]


GraphEdge = TypedDict(
    "GraphEdge",
    {
        "from": str,
        "to": str,
        "label": NotRequired[str],
        "at": NotRequired[float],
        "name": NotRequired[str],
        "edit": NotRequired[str],
        "asks": NotRequired[str],
    },
)
"""An edge between two nodes; `at`, from 0 to 1, is where on it its text stands."""


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes and edges with values, drawn as SVG: a network and what flows through it.

    Patch data: `nodes` (a value for each node, in order, shown as its colour and number), `edges` alike; NaN has no
    colour. Optionally `notes`, a text for each node in place of number and note, and `marks`, one for each edge, of
    several lines; `lit_nodes` and `lit_edges`, the indices of those that something happens to; `back`, whether it goes
    against the arrows; `select`, what is picked.

    An edge with a `name` can be picked as nodes can; a pick has `name`. With `edits`, a setting
    (engine.params.NamedNumbers), what has `edit`, the name of a number in the patch data `given` (a dictionary), can
    be given another number where it stands, asked for as `asks`. Narrower than `width` pixels the figure scrolls.
    """

    id: str
    nodes: list[GraphNode]
    edges: list[GraphEdge]
    size: Size = "full"
    height: int = 220
    picks: Pick | None = None
    width: int = 0
    edits: str = ""
    kind: Literal["graph"] = "graph"


@dataclass(frozen=True, slots=True)
class Strip:
    """A row of images, each with a caption, a mark and bars.

    Patch data: images uint8 (n, rows, columns, 3); optionally `label` int (n,) and `guess` int (n,), indices into
    `classes` (a frame is green and ticked where they agree, orange and crossed where not; label -1: not known);
    `probabilities` float (n, k), drawn as bars of the three largest; `index` int (n,), what a click reports.
    """

    id: str
    classes: list[str] = field(default_factory=list)
    size: Size = "full"
    height: int = 150
    picks: Pick | None = None
    kind: Literal["strip"] = "strip"


@dataclass(frozen=True, slots=True)
class Links:
    """Two columns of words and a line from each on the left to each on the right, as strong as its weight.

    Patch data: left (n,) and right (m,), lists of words; weights (n, m) from 0 to 1; optionally `select` [from, to].
    A word that is pointed at shows its own lines alone. A click on a word gives `from` or `to`, its place in its
    column.
    """

    id: str
    left_title: str = ""
    right_title: str = ""
    size: Size = "half"
    height: int = 300
    picks: Pick | None = None
    kind: Literal["links"] = "links"


class TableColumn(TypedDict):
    """A column of a Table. With `bar` its numbers are bars too, blue above zero, orange below: "share" from 0 to 1,
    "most" of full size where the column's largest is, "signed" from -1 to 1."""

    title: str
    bar: NotRequired[Literal["share", "most", "signed"]]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of numbers under headings, each row with a name.

    Patch data: names (n,), a list of words; values (n, columns), NaN for none; optionally `select`, a row. A click on
    a row gives `row`, and `name`. `nan` is what stands where a value is NaN: in a table about such numbers, the word
    itself.

    With `bind`, for each name in `rows` as many scalars as there are columns (or null), it needs no patch: its numbers
    are those scalars at the playhead.
    """

    id: str
    columns: list[TableColumn]
    head: str = ""
    nan: str = "–"
    rows: list[str] = field(default_factory=list)
    bind: list[list[str | None]] = field(default_factory=list)
    size: Size = "half"
    height: int = 300
    picks: Pick | None = None
    kind: Literal["table"] = "table"


class NetworkChoice(TypedDict):
    """An option of a list among a network's tools, and the settings that it chooses."""

    label: str
    sets: Values


class NetworkTool(TypedDict):
    """A button, `sets` None where it cannot be pressed; with `options` a list, in which the option `at` is chosen."""

    help: str
    label: NotRequired[str]
    sets: NotRequired[Values | None]
    options: NotRequired[list[NetworkChoice]]
    at: NotRequired[int]


class NetworkUnit(TypedDict, total=False):
    """A unit. An input has its own map, `still` (rows of numbers), is `off` if the network is not given it, and `sets`
    is what a click on it chooses."""

    label: str
    help: str
    colour: str
    still: list[list[float]]
    off: bool
    sets: Values


class NetworkLayer(TypedDict):
    """A layer, its units from top to bottom, and the tools above it."""

    title: str
    units: list[NetworkUnit]
    tools: NotRequired[list[NetworkTool]]


@dataclass(frozen=True, slots=True)
class Network:
    """Units in layers side by side, each with a small map of what it says everywhere, each weight as a line.

    `tools` are those of the network as a whole.

    Patch data: `sizes`, the inputs that are not off and the units of each layer; `weights`, those of each layer
    [out][in] and then its biases; `tiles` uint8 (units, rows, columns) of all units but the inputs, where 0 to 255
    stand for minus to plus `scale` (units,). A line is as thick as its weight is large: blue above zero, orange below.

    With `edits`, a setting's name, a click on a line or unit lets the reader write its weights: what is chosen are
    entries "layer.unit.input=value", layers from 1, units from 0, "b" for the bias.
    """

    id: str
    layers: list[NetworkLayer]
    tools: list[NetworkTool] = field(default_factory=list)
    words: Mapping[str, str] = field(default_factory=dict)
    edits: str = ""
    size: Size = "hero"
    height: int = 400
    picks: Pick | None = None
    kind: Literal["network"] = "network"


Figure: TypeAlias = Plot | Map | Graph | Strip | Links | Table | Network


@dataclass(frozen=True, slots=True)
class Patch:
    """New numbers for one figure, complete in themselves: `data` replaces these attributes of `trace`.

    Values are arrays, numbers or lists of short strings. `trace` is "" for figures other than plots. The key
    "say" (a dictionary of numbers) fills the figure's text reading.
    """

    figure: str
    data: Mapping[str, Any]
    trace: str = ""

    def say(self, **parts: float | str) -> Patch:
        """The same patch with these parts of the figure's reading."""
        return replace(self, data={**self.data, "say": parts})


def spec(figure: Figure) -> dict[str, Any]:
    """The figure as JSON for the browser."""
    return asdict(figure)
