"""The messages between the board in the browser and the live server, over the websocket /live?t=TICKET.

A message to the browser is bytes as engine/wire.py packs them: a JSON header, in which "type" names the message, and
arrays. A message from the browser is a JSON text, in which "op" names it. `pages/live/schema.py` writes both as
TypeScript interfaces for the board.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter

from engine import wire
from engine.messages import RunControl
from engine.records.blocks import encode_blocks
from engine.types import Arrays, Problem, ScalarBlock, Values
from lessons.board.figures import Patch

# As in engine/types.py: STATUSES.
RunStatus: TypeAlias = Literal["queued", "running", "paused", "done", "stopped", "failed", "recorded"]


@dataclass(frozen=True, slots=True)
class Bilingual:
    """A sentence in both languages of the interface."""

    en: str
    zh: str

    @classmethod
    def of(cls, problem: Problem) -> Bilingual:
        """The two sentences of a Problem."""
        return cls(problem.en, problem.zh)

    def problem(self) -> Problem:
        """A new Problem that says this, to be raised."""
        return Problem(self.en, self.zh)


MALFORMED = Bilingual("That message has no form this server knows.", "服务器看不懂这条消息。")
TOO_FAST = Bilingual("Too many requests at once. Wait a moment, then go on.", "请求太快，请稍等片刻再继续。")
FAILED = Bilingual(
    "The server could not do that; its log says why. The page goes on.",
    "服务器没能完成这个操作（原因见服务器日志），页面可以继续使用。",
)


# To the browser


@dataclass(frozen=True, slots=True)
class ToBrowser:
    """What all messages to the browser have in common. `type` names the message in its header.

    A field's key in the header is its name, or its "key" where its metadata has one; a field whose metadata has
    "optional" is left out while it is None.
    """

    type: ClassVar[str]

    def header(self) -> Values:
        """The message as JSON, its keys in the order of the fields."""
        values: Values = {"type": self.type}
        for each in fields(self):
            value = getattr(self, each.name)
            if value is not None or not each.metadata.get("optional"):
                values[each.metadata.get("key", each.name)] = value
        return values

    def pack(self, arrays: Arrays | None = None) -> bytes:
        """The message as bytes, with the arrays that its header refers to."""
        return wire.pack(self.header(), arrays)


@dataclass(frozen=True, slots=True)
class RunMessage(ToBrowser):
    """How a run stands."""

    type: ClassVar[Literal["run"]] = "run"
    run: str
    """Id of the run."""
    status: RunStatus
    total: int
    """Steps the whole run has; 0 while that is not known."""
    error: Bilingual | None
    """Why it failed."""
    note: Bilingual | None
    """What its viewers should know: why it waits, or was stopped."""
    device: str
    """The device that computes it, as "cpu" or "cuda:0"; "" before it has begun."""
    place: int | None
    """Its place in the queue, from 1; null once it has begun."""
    rate: float
    """Steps a second."""
    viewers: int
    params: Mapping[str, Any]
    """The settings in force."""
    seed: int
    checkpoints: Sequence[int]
    """Steps from which it can be forked, ascending."""
    origin: tuple[str, int] | None
    """The run and step it was forked or copied from, where that run is still kept."""
    frames: Sequence[int]
    """Steps that have a frame, ascending."""


@dataclass(frozen=True, slots=True)
class ScalarGroup:
    """The shape of one block of scalars: `n` steps, at each of which all `names` have a value."""

    names: Sequence[str]
    n: int


@dataclass(frozen=True, slots=True)
class ScalarsMessage(ToBrowser):
    """Scalars of steps that follow those sent before.

    Arrays: of group i, steps{i}, int32 (n,), and values{i}, float64 (n, names). What a worker sent alone goes on as it
    came, with more in its header (engine/messages.py).
    """

    type: ClassVar[Literal["scalars"]] = "scalars"
    run: str
    groups: Sequence[ScalarGroup]


@dataclass(frozen=True, slots=True)
class FigurePatch:
    """New numbers for one figure: `data` replaces these attributes of `trace`, which is "" for all but plots.

    An array in `data` stands as {"$": name of the array in the message}.
    """

    figure: str
    trace: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FrameMessage(ToBrowser):
    """The picture of a step: it holds until the next one."""

    type: ClassVar[Literal["frame"]] = "frame"
    run: str
    step: int
    made: float
    """Wall time in the worker, in seconds since 1970; 0 where it is not known."""
    patches: Sequence[FigurePatch]


@dataclass(frozen=True, slots=True)
class RewindMessage(ToBrowser):
    """Everything after `step` did not happen: the run goes on from there."""

    type: ClassVar[Literal["rewind"]] = "rewind"
    run: str
    step: int
    note: Bilingual
    """Why; empty where nothing is to be said."""


@dataclass(frozen=True, slots=True)
class AnswerMessage(ToBrowser):
    """The answer to an "ask" message."""

    type: ClassVar[Literal["answer"]] = "answer"
    id: int
    """The id of the question."""
    run: str
    step: int
    """The step whose state was asked."""
    name: str
    patches: Sequence[FigurePatch]


@dataclass(frozen=True, slots=True)
class RefusedMessage(ToBrowser):
    """A message from the browser was not heeded."""

    type: ClassVar[Literal["refused"]] = "refused"
    id: int | None
    """The id that the message had, if any."""
    error: Bilingual


@dataclass(frozen=True, slots=True)
class MovedMessage(ToBrowser):
    """A command to a shared run made a private copy, which this browser watches from now on in its place."""

    type: ClassVar[Literal["moved"]] = "moved"
    source: str = field(metadata={"key": "from"})
    run: str


@dataclass(frozen=True, slots=True)
class NextMessage(ToBrowser):
    """Another run has begun in the place of `from`, and this browser watches it from now on."""

    type: ClassVar[Literal["next"]] = "next"
    id: int | None = field(metadata={"optional": True})
    """The id of the "begin" message that this answers; left out where the page began the run."""
    source: str = field(metadata={"key": "from"})
    run: str


ServerMessage: TypeAlias = (
    RunMessage
    | ScalarsMessage
    | FrameMessage
    | RewindMessage
    | AnswerMessage
    | RefusedMessage
    | MovedMessage
    | NextMessage
)


def pack_scalars(run: str, blocks: Iterable[ScalarBlock]) -> bytes:
    """Blocks of scalars as one message."""
    header, arrays = encode_blocks(blocks)
    groups = [ScalarGroup(group["names"], group["n"]) for group in header["groups"]]
    return ScalarsMessage(run, groups).pack(arrays)


def encode_patches(patches: Iterable[Patch]) -> tuple[list[FigurePatch], Arrays]:
    """Patches as a header lists them, and their arrays, which are set apart as {"$": name}."""
    arrays: Arrays = {}

    def encode(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            name = f"a{len(arrays)}"
            arrays[name] = value
            return {"$": name}
        if isinstance(value, np.generic):
            return value.item()
        if isinstance(value, Mapping):
            return {str(key): encode(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [encode(item) for item in value]
        return value

    encoded = [
        FigurePatch(patch.figure, patch.trace, {key: encode(value) for key, value in patch.data.items()})
        for patch in patches
    ]
    return encoded, arrays


# From the browser


class FromBrowser(BaseModel):
    """What all messages from the browser have in common. Fields that are not known are passed over."""

    model_config = ConfigDict(frozen=True, strict=True, use_attribute_docstrings=True)
    run: Annotated[str, Field(pattern=r"^[\w.@-]{1,80}$")]
    """Id of the run that the message is about."""


class WatchRequest(FromBrowser):
    """Sends what is known of a run, and from then on what is new."""

    op: Literal["watch"]
    seen: int = Field(-1, alias="from")
    """The last step whose scalars the browser has, -1 for none."""
    aside: Annotated[bool, BeforeValidator(lambda value: value is True)] = False
    """The run is drawn beside another: no frames are sent, and its viewer does not keep it going."""


class LeaveRequest(FromBrowser):
    """Ends watching a run."""

    op: Literal["leave"]


class TellRequest(FromBrowser):
    """A command to a run."""

    op: Literal["tell"]
    command: RunControl
    changes: Annotated[dict[str, Any], BeforeValidator(lambda value: value or {})] = Field(default_factory=dict)
    """Of the command "set": live settings and their new values."""


class AskRequest(FromBrowser):
    """A question about the state of a run, answered by the lesson's `look` and `figures.answer`."""

    op: Literal["ask"]
    id: int
    """Chosen by the browser; the answer, or the refusal, has the same."""
    name: str
    args: Annotated[dict[str, Any], BeforeValidator(lambda value: value or {})] = Field(default_factory=dict)
    step: int | None = None
    """The step whose state is asked; null for the newest."""


class BeginRequest(FromBrowser):
    """Begins a run with other settings in the place of `run`, which this browser watches."""

    op: Literal["begin"]
    id: int
    """Chosen by the browser; the answer, or the refusal, has the same."""
    settings: dict[str, Any]


BrowserMessage: TypeAlias = WatchRequest | LeaveRequest | TellRequest | AskRequest | BeginRequest
_PARSER: TypeAdapter[BrowserMessage] = TypeAdapter(Annotated[BrowserMessage, Field(discriminator="op")])


def parse_message(data: Any) -> BrowserMessage:
    """The message that the JSON value `data` is. Raises ValueError (pydantic.ValidationError) where it is none."""
    return _PARSER.validate_python(data)


def request_id(data: Any) -> int | None:
    """The id in a message's JSON value, whether or not the message can be used."""
    number = data.get("id") if isinstance(data, dict) else None
    return number if isinstance(number, int) else None
