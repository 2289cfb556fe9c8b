"""The types that the engine, the lessons and the pages share: jobs, steps, ticks, scalars, problems. No torch here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]
Arrays: TypeAlias = dict[str, Array]
Scalars: TypeAlias = dict[str, float]
Checkpoint: TypeAlias = dict[str, Array]
Values: TypeAlias = dict[str, Any]


class Problem(ValueError):
    """An error that a learner can act on, in both languages: what is wrong, why, and the way out.

    It crosses processes as its two texts and nothing else.
    """

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(en)
        self.en = en
        self.zh = zh

    def __reduce__(self) -> tuple[type[Problem], tuple[str, str]]:
        return (Problem, (self.en, self.zh))

    def as_json(self) -> dict[str, str]:
        """Both texts; `Problem(**value)` is the inverse."""
        return {"en": self.en, "zh": self.zh}

    def say(self, language: str) -> str:
        """The text in `language` ("en" or "zh")."""
        return self.zh if language == "zh" else self.en


@dataclass(frozen=True, slots=True)
class Job:
    """What a run is to compute, as values that JSON can hold. Equal jobs give equal runs.

    entry: a generator function, as "lessons.NAME.compute:run". params: the lesson's settings. device: "auto", "cpu",
    "cuda" or "mps".
    """

    entry: str
    params: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    device: str = "auto"

    @property
    def lesson(self) -> str:
        """The lesson's name: "lessons.cifar10.compute:run" is of "cifar10"."""
        return self.entry.split(":")[0].split(".")[-2]

    def as_json(self) -> Values:
        """Its fields; `Job(**value)` is the inverse."""
        return {"entry": self.entry, "params": dict(self.params), "seed": self.seed, "device": self.device}

    def key(self) -> str:
        """A digest that equal jobs share, whatever the order of their settings."""
        content = [self.entry, dict(self.params), self.seed, self.device]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Step:
    """What a lesson yields after each step.

    Step 0 is the state before any training; steps then count up by one to `total`. A run resumed from the checkpoint of
    step k yields step k + 1 first.

    scalars: by name; one may be left out of a step (a validation loss once an epoch), and may be NaN or infinite.
    frame, state: return the picture and the checkpoint of this step; called only if somebody wants them. keep: both are
    always recorded, as far as a record holds them (256 frames), for runs in which each step shows something that no
    other does.
    """

    step: int
    scalars: Scalars
    total: int
    frame: Callable[[], Arrays] = dict
    state: Callable[[], Checkpoint] = dict
    keep: bool = False


@dataclass(frozen=True, slots=True)
class Tick:
    """A step with its frame: what `figures.update` turns into patches."""

    step: int
    scalars: Scalars
    arrays: Arrays = field(default_factory=dict)
    made: float = 0.0  # wall time in the worker; 0 where it is not known


@dataclass(frozen=True, slots=True)
class ScalarBlock:
    """Scalars of n steps that share their names: `values[i, j]` is `names[j]` at step `steps[i]`.

    steps: int32 (n,), ascending. values: float64 (n, len(names)).
    """

    names: tuple[str, ...]
    steps: npt.NDArray[np.int32]
    values: npt.NDArray[np.float64]


STATUSES = ("queued", "running", "paused", "done", "stopped", "failed", "recorded")
ENDED = frozenset({"done", "stopped", "failed", "recorded"})
