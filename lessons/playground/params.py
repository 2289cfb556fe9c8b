"""Settings of the playground."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar

from pydantic import model_validator

import engine.params
from engine.controls import Choice, File, Hidden, Live, MultiChoice, Number, Slider, Text, Toggle, ViewOnly, When
from engine.models.names import ACTIVATIONS, OPTIMISERS
from engine.types import Problem

POINTS = ("circles", "xor", "moons", "blobs", "spirals", "drawn", "csv")
MANY = ("circles", "blobs", "spirals", "drawn", "csv")  # kinds of points that can have more than two classes
MADE = ("circles", "xor", "moons", "blobs", "spirals")
FEATURES = ("x1", "x2", "x1x1", "x2x2", "x1x2", "sin1", "sin2")
CLASSES = 6
BRUSHES = (*map(str, range(1, CLASSES + 1)), "erase")
SEEDS = 64
FACE = (  # what is there before anything is drawn: a ring, two eyes and a mouth
    "05mgA04umo02Ksz0yGyG0sz2K0mo4u0gA5m0ZX4u0TM2K0N5yG0J1sz0HRmo0GZgA0HRZX0J1TM0N5N50TMJ10ZXHR0f_GZ0moHR"
    "0szJ10yGN502KTM04uZX1Xdoi1WZmZ1YimZ1oioi1ndmZ1pmmZ1TpZt1ViW51YCUp1bBTD1eTSP1hsSP1k-TD1n9Up1qdW51sWZt"
)
FEWEST = 4  # points
LAYERS = 6
UNITS = 12
DRAWN = 200
EDITS = 40
LAYER = re.compile(r"(\d{1,2})([a-z]*)")
EDIT = re.compile(r"([1-7])\.(\d{1,2})\.(\d{1,2}|b)=(-?\d{1,3}(?:\.\d{1,6})?)")


class Params(engine.params.Params):
    """`hidden`: units of each layer, "8-4"; a layer may name its own activation, "8relu-4". `edits`: weights set by
    hand, "layer.unit.input=value" (input "b": the bias). `drawn`: five letters for each point (see points.py).

    `goal` is a share of test points to get right, with at most `most` hidden units; 0 is no goal.
    """

    continues_run: ClassVar[bool] = True

    points: Annotated[str, Choice(POINTS)] = "circles"
    brush: Annotated[str, Choice(BRUSHES), ViewOnly(), When(points=("drawn",))] = "1"
    hidden: Annotated[str, Text(60)] = "4-2"
    activation: Annotated[str, Choice(ACTIVATIONS)] = "tanh"
    features: Annotated[tuple[str, ...], MultiChoice(FEATURES)] = ("x1", "x2")
    optimiser: Annotated[str, Choice(OPTIMISERS)] = "sgd"
    lr: Annotated[float, Slider(0.0001, 10.0, log=True), Live()] = 0.1
    noise: Annotated[float, Slider(0.0, 1.0, step=0.05), When(points=MADE)] = 0.15
    classes: Annotated[int, Slider(2, CLASSES), When(points=MANY)] = 2
    batch: Annotated[int, Slider(1, 1000, log=True), Live()] = 10
    decay: Annotated[float, Slider(0.0, 0.3, step=0.001), Live()] = 0.0
    l1: Annotated[float, Slider(0.0, 0.3, step=0.001), Live()] = 0.0
    momentum: Annotated[float, Slider(0.0, 0.99, step=0.01), Live(), When(optimiser=("momentum", "nesterov"))] = 0.9
    loss: Annotated[str, Choice(("cross-entropy", "squared"), row=True)] = "cross-entropy"
    count: Annotated[int, Slider(20, 1000, step=20), When(points=MADE)] = 300
    share: Annotated[float, Slider(0.1, 0.9, step=0.05)] = 0.5
    goal: Annotated[float, Slider(0.0, 1.0, step=0.01)] = 0.0
    most: Annotated[int, Slider(0, LAYERS * UNITS)] = LAYERS * UNITS
    stop: Annotated[str, Choice(("never", "goal", "stale"), row=True)] = "never"
    patience: Annotated[int, Slider(10, 100_000, log=True), When(stop=("stale",))] = 1000
    dropout: Annotated[float, Slider(0.0, 0.9, step=0.05), Live()] = 0.0
    norm: Annotated[bool, Toggle()] = False
    seeds: Annotated[int, Slider(1, SEEDS)] = 1
    surface: Annotated[bool, Toggle(), ViewOnly()] = False
    csv: Annotated[str, File(("csv", "tsv", "txt"))] = ""
    steps: Annotated[int, Slider(50, 1_000_000, log=True)] = 10_000
    pace: Annotated[float, Slider(0.0, 5000.0, step=10.0), Live()] = 250.0
    drawn: Annotated[str, Text(5 * DRAWN, r"(?:[0-5][A-Za-z0-9_-]{4})*"), Hidden()] = FACE
    edits: Annotated[str, Text(1000), Hidden()] = ""
    seed: Annotated[int, Number(0, 2**31 - 1)] = 0

    @model_validator(mode="after")
    def _fits(self) -> Params:
        layers(self.hidden, self.activation)
        changes(self.edits)
        if self.points == "csv" and not self.csv:
            raise Problem(
                "There is no CSV yet. Upload one under “More settings”: its points are taken at once.",
                "还没有 CSV 文件。请在“更多设置”里上传，上传后立即使用。",
            )
        if self.points == "drawn" and len(self.drawn) < 5 * FEWEST:
            raise Problem(
                f"There are {len(self.drawn) // 5} points; at least {FEWEST} are needed. Draw some on the plane.",
                f"现在有 {len(self.drawn) // 5} 个点，至少要 {FEWEST} 个。请在平面上再画几个。",
            )
        if self.norm and self.batch < 2:
            raise Problem(
                "Batch normalisation needs a batch of 2 points or more: one point has no spread. Raise the batch size.",
                "批归一化要求每批至少 2 个点：一个点谈不上分布。请调大批大小。",
            )
        return self

    @property
    def kinds(self) -> int:
        """Classes that there are."""
        return self.classes if self.points in MANY else 2

    @property
    def layers(self) -> list[tuple[int, str]]:
        """Units and activation of each hidden layer."""
        return layers(self.hidden, self.activation)

    @property
    def outputs(self) -> int:
        """One score for two classes, else one for each."""
        return 1 if self.kinds == 2 else self.kinds

    @property
    def sizes(self) -> list[int]:
        """Inputs, units of each hidden layer, outputs."""
        return [len(self.features), *(units for units, _ in self.layers), self.outputs]


def layers(text: str, usual: str) -> list[tuple[int, str]]:
    """ "8-4relu" as [(8, usual), (4, "relu")]. Raises Problem."""
    parsed = []
    for part in text.replace(" ", "").split("-") if text.strip() else []:
        match = LAYER.fullmatch(part)
        if match is None:
            raise Problem(
                f"hidden = {text!r:.60}: {part!r:.20} is not a layer. Write the units of each layer with dashes "
                "between them, as 8-4, or with an activation of a layer's own, as 8relu-4.",
                f"hidden = {text!r:.60}：{part!r:.20} 不是一层。请写出每层的单元数，用短横连接，如 8-4；"
                "也可以给某层单独指定激活函数，如 8relu-4。",
            )
        units, own = int(match[1]), match[2] or usual
        if not 1 <= units <= UNITS:
            raise Problem(
                f"hidden = {text!r:.60}: a layer of {units} units cannot be drawn. Use 1 to {UNITS} in each layer.",
                f"hidden = {text!r:.60}：一层 {units} 个单元画不下，每层请用 1 到 {UNITS} 个。",
            )
        if own not in ACTIVATIONS:
            raise Problem(
                f"hidden = {text!r:.60}: {own!r:.20} is no activation. There are: {', '.join(ACTIVATIONS)}.",
                f"hidden = {text!r:.60}：没有名为 {own!r:.20} 的激活函数。可用的有：{', '.join(ACTIVATIONS)}。",
            )
        parsed.append((units, own))
    if len(parsed) > LAYERS:
        raise Problem(
            f"hidden = {text!r:.60} has {len(parsed)} layers; at most {LAYERS} fit. Take some away.",
            f"hidden = {text!r:.60} 有 {len(parsed)} 层，最多 {LAYERS} 层，请减少几层。",
        )
    return parsed


def changes(text: str) -> dict[tuple[int, int, int], float]:
    """ "1.0.b=0.5;2.0.1=-1" as {(layer, unit, input): value}; layers from 1, the bias is input -1. Raises Problem."""
    weights = {}
    for part in text.split(";") if text else []:
        match = EDIT.fullmatch(part)
        if match is None:
            raise Problem(
                f"edits: {part!r:.40} does not name a weight. It is written layer.unit.input=value, as 1.0.1=0.5, with "
                "a value from -999 to 999. Click on a line of the network instead.",
                f"edits：{part!r:.40} 没有指明一个权重。格式是 层.单元.输入=值，如 1.0.1=0.5，值在 -999 到 999 之间。"
                "也可以直接点网络里的连线。",
            )
        weights[int(match[1]), int(match[2]), -1 if match[3] == "b" else int(match[3])] = float(match[4])
    if len(weights) > EDITS:
        raise Problem(
            f"{len(weights)} weights are set by hand; at most {EDITS} fit into a link. Press Reset to let go of them.",
            f"手动设置了 {len(weights)} 个权重，链接里最多放 {EDITS} 个。请点“重置”清除。",
        )
    return weights


TINY = Params(steps=60, pace=0.0, hidden="3-2relu", count=60)

HARD = {"points": "spirals", "noise": 0.05, "optimiser": "adam", "lr": 0.02, "steps": 20_000, "pace": 1000.0}
PRESETS: dict[str, dict[str, Any]] = {
    "default": {},
    "line": {"points": "blobs", "hidden": "", "lr": 0.03},
    "circle": {"hidden": "1", "lr": 0.3, "goal": 0.95, "most": 3, "stop": "goal", "steps": 20_000},
    "xor": {"points": "xor", "hidden": "2", "goal": 0.95, "most": 3, "stop": "goal", "steps": 20_000},
    "spiral": {**HARD, "hidden": "4", "goal": 0.9, "most": 12, "stop": "goal", "steps": 50_000},
    "classes": {**HARD, "classes": 3, "hidden": "8-8"},
    "overfit": {
        "points": "moons",
        "noise": 0.6,
        "count": 80,
        "hidden": "12-12",
        "optimiser": "adam",
        "lr": 0.02,
        "pace": 500.0,
    },
    "seeds": {"points": "xor", "hidden": "3", "seeds": 32, "steps": 3000},
    "own": {"points": "drawn", "hidden": "6-4", "optimiser": "adam", "lr": 0.02, "share": 0.7},
    "landscape": {"surface": True, "hidden": "3", "lr": 0.3, "steps": 3000},
}
