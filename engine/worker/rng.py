"""The global random generators, so that a lesson may say torch.manual_seed while many runs share a process."""

from __future__ import annotations

import random
from typing import Any, TypeAlias

import numpy as np
import torch

from engine.types import Checkpoint

PREFIX = "global."

World: TypeAlias = tuple[Any, ...]  # their states as each of them gives it, for this process only


def seed(value: int) -> None:
    """Seeds torch (all devices), numpy and random."""
    torch.manual_seed(value)
    np.random.seed(value % 2**32)
    random.seed(value)


def cuda() -> bool:
    return torch.cuda.is_available() and torch.cuda.is_initialized()  # type: ignore[no-untyped-call]


def leave() -> World:
    """The state of all of them, to be entered again; quicker than `capture`, as turns are many."""
    return (
        torch.get_rng_state(),
        np.random.get_state(),
        random.getstate(),
        torch.cuda.get_rng_state() if cuda() else None,
    )


def enter(world: World) -> None:
    """Puts back what `leave` took."""
    of_torch, of_numpy, of_random, of_cuda = world
    torch.set_rng_state(of_torch)
    np.random.set_state(of_numpy)
    random.setstate(of_random)
    if of_cuda is not None:
        torch.cuda.set_rng_state(of_cuda)


def capture() -> Checkpoint:
    """The same as arrays: "global.torch", "global.numpy", "global.random" and, if there is one, "global.cuda"."""
    version, words, gauss = random.getstate()
    key = np.random.get_state(legacy=True)
    assert isinstance(key, tuple)
    state: Checkpoint = {
        "global.torch": torch.get_rng_state().numpy(),
        "global.numpy": np.concatenate([np.asarray(key[1], np.float64), np.asarray(key[2:], np.float64)]),
        "global.random": np.array([version, *words, np.nan if gauss is None else gauss], np.float64),
    }
    if cuda():
        state["global.cuda"] = torch.cuda.get_rng_state().numpy()
    return state


def restore(state: Checkpoint) -> None:
    """Puts back what `capture` took; what `state` lacks is left as it is."""
    if "global.torch" in state:
        torch.set_rng_state(torch.from_numpy(state["global.torch"].copy()))
    if "global.cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(torch.from_numpy(state["global.cuda"].copy()))
    if "global.numpy" in state:
        words = state["global.numpy"]
        np.random.set_state(("MT19937", words[:-3].astype(np.uint32), int(words[-3]), int(words[-2]), float(words[-1])))
    if "global.random" in state:
        version, *numbers, gauss = state["global.random"].tolist()
        random.setstate((int(version), tuple(int(n) for n in numbers), None if np.isnan(gauss) else gauss))
