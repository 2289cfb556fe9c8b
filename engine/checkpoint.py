"""Checkpoints: what a run needs to go on later, as named numpy arrays.

    model.WEIGHT          a parameter or buffer of a torch module, by its name in `state_dict`
    optim.NUMBER.BUFFER   what torch.optim keeps for the parameter of that number
    rng.own               the state of the run's torch.Generator
    live.SETTING          a setting that was changed while the run went on

Lessons write the first three with `pack` and read them with `unpack`, and add arrays of their own. The worker writes
"live.…" into every checkpoint and starts a run that goes on with these settings, so no lesson needs to keep them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from engine.types import Array, Checkpoint, Job, Problem, Values

LIVE = "live."


def pack(model: nn.Module, optimizer: torch.optim.Optimizer, generator: torch.Generator) -> Checkpoint:
    """The arrays of a model, its optimiser and its generator, copied to the host: training on does not change them."""
    states = optimizer.state_dict()["state"].items()
    state = {f"{number}.{name}": value for number, of in states for name, value in of.items() if value is not None}
    return add_prefix("model.", host(model.state_dict())) | add_prefix("optim.", host(state)) | pack_rng(generator)


def unpack(state: Checkpoint, model: nn.Module, optimizer: torch.optim.Optimizer, generator: torch.Generator) -> None:
    """Puts back what `pack` took.

    The buffers of an optimiser with another rule are left out: the new one starts without any. Raises RuntimeError for
    a model of other shapes.
    """
    model.load_state_dict(model_tensors(state))
    groups = [group for group in optimizer.param_groups for _ in group["params"]]
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    buffers: dict[int, dict[str, Tensor]] = {}
    for name, array in select(state, "optim.").items():
        number, _, buffer = name.partition(".")
        value, parameter = tensor(array), parameters[int(number)]
        if value.shape == parameter.shape:  # fused optimisers go through memory: the buffer must lie as its weight does
            value = torch.empty_like(parameter).copy_(value)
        buffers.setdefault(int(number), {})[buffer] = value
    wanted = {number: main_buffer(groups[number]) for number in buffers}
    if all(wanted[number] in (None, *names) for number, names in buffers.items()):
        used = {number: names for number, names in buffers.items() if wanted[number]}
        optimizer.load_state_dict({**optimizer.state_dict(), "state": used})
    unpack_rng(state, generator)


def main_buffer(group: Mapping[str, Any]) -> str | None:
    """The buffer that tells the rule of a parameter group: of Adam's or the momentum family; None for plain SGD.

    engine.models.muon.Muon goes by Adam in groups that are not "hidden".
    """
    if "betas" in group or not group.get("hidden", True):
        return "exp_avg"
    return "momentum_buffer" if group["momentum"] else None


def model_tensors(state: Checkpoint) -> dict[str, Tensor]:
    """The tensors of the model in a checkpoint, by their names in its `state_dict`."""
    return {name: tensor(array) for name, array in select(state, "model.").items()}


def pack_rng(generator: torch.Generator, name: str = "rng.own") -> Checkpoint:
    return {name: generator.get_state().numpy().copy()}


def unpack_rng(state: Checkpoint, generator: torch.Generator, name: str = "rng.own") -> None:
    generator.set_state(tensor(state[name]))


def host(tensors: Mapping[str, Tensor]) -> Checkpoint:
    """Tensors as numpy copies, in C order."""
    return {name: np.array(value.detach().cpu().contiguous().numpy()) for name, value in tensors.items()}


def tensor(array: Array) -> Tensor:
    """A tensor with a copy of a checkpoint's array, which may be read-only."""
    return torch.from_numpy(np.array(array))


def add_prefix(prefix: str, arrays: Mapping[str, Array]) -> Checkpoint:
    return {prefix + name: array for name, array in arrays.items()}


def select(state: Checkpoint, prefix: str) -> Checkpoint:
    """The arrays whose names begin with `prefix`, without it."""
    return {name.removeprefix(prefix): array for name, array in state.items() if name.startswith(prefix)}


def other_size(depth: int, width: int) -> Problem:
    """Why a checkpoint's weights do not fit the multilayer perceptrons that the settings ask for."""
    return Problem(
        "A run can be continued with other settings, but not with networks of another size "
        f"({depth} hidden layers of {width} units): the weights would not fit. Start a new run.",
        f"可以换设置接着训练，但不能换网络大小（{depth} 个隐藏层，每层 {width} 个单元）："
        "原来的权重对不上。请重新开始一次训练。",
    )


def pack_live(settings: Values, job: Job) -> Checkpoint:
    """The numbers among a run's present settings that are not those it was started with, as "live.SETTING"."""
    return {
        LIVE + name: np.array(value)
        for name, value in settings.items()
        if isinstance(value, int | float) and value != job.params.get(name)
    }


def unpack_live(state: Checkpoint) -> Values:
    """The settings that were changed before the checkpoint was taken, by their names."""
    return {name: array.item() for name, array in select(state, LIVE).items()}
