"""The global random generators of torch, numpy and random.

A lesson may draw from them although many runs share a process: the worker keeps a state of them for each run, and puts
it in place before it calls the run's code. BatchedRuns have generators of their own and need none of this.
"""

from __future__ import annotations

import random
from typing import Any, TypeAlias

import numpy as np
import torch

from engine.types import Checkpoint

PREFIX = "global."  # of the names in a checkpoint

RngState: TypeAlias = tuple[Any, ...]  # of torch, numpy, random, and CUDA or None; for this process only


def seed(value: int) -> None:
    """Seeds torch (all devices), numpy and random."""
    torch.manual_seed(value)
    np.random.seed(value % 2**32)
    random.seed(value)


def get_state() -> RngState:
    """The present state of all generators. Quicker than `capture`: it is taken whenever another run is next."""
    return (
        torch.get_rng_state(),
        np.random.get_state(),
        random.getstate(),
        torch.cuda.get_rng_state() if uses_cuda() else None,
    )


def set_state(state: RngState) -> None:
    """Puts back what `get_state` returned."""
    torch_state, numpy_state, random_state, cuda_state = state
    torch.set_rng_state(torch_state)
    np.random.set_state(numpy_state)
    random.setstate(random_state)
    if cuda_state is not None:
        torch.cuda.set_rng_state(cuda_state)


def capture() -> Checkpoint:
    """The state as arrays: "global.torch", "global.numpy", "global.random" and, where CUDA is in use, "global.cuda"."""
    version, words, gauss = random.getstate()
    key = np.random.get_state(legacy=True)
    assert isinstance(key, tuple)
    state: Checkpoint = {
        "global.torch": torch.get_rng_state().numpy(),
        "global.numpy": np.concatenate([np.asarray(key[1], np.float64), np.asarray(key[2:], np.float64)]),
        "global.random": np.array([version, *words, np.nan if gauss is None else gauss], np.float64),
    }
    if uses_cuda():
        state["global.cuda"] = torch.cuda.get_rng_state().numpy()
    return state


def restore(state: Checkpoint) -> None:
    """Puts back what `capture` returned; a generator that `state` lacks is left as it is."""
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


def uses_cuda() -> bool:
    """Whether CUDA has been initialised: only then has its generator a state worth keeping."""
    return torch.cuda.is_available() and torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
