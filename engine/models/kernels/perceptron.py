"""Calls of perceptron.cpp, which does for engine/models/perceptron.py what that file else does with torch."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from engine.models.kernels import build
from engine.models.names import ACTIVATIONS, LOSSES, OPTIMISERS

if TYPE_CHECKING:
    from engine.models.optimiser import Optimiser

SIMD_WIDTH = 8  # points that perceptron.cpp computes at a time: rows are padded to a multiple of it


def library() -> ctypes.CDLL | None:
    """The compiled functions, or None where torch is to do their work."""
    return build.library("perceptron")


def address(array: Any) -> ctypes.c_void_p:
    """The address of the first number of a tensor or numpy array."""
    return ctypes.c_void_p(array.data_ptr() if isinstance(array, Tensor) else array.ctypes.data)


class NetworkStruct(ctypes.Structure):
    """`Network` in perceptron.cpp."""

    _fields_ = (
        ("layers", ctypes.c_int32),
        ("sizes", ctypes.c_void_p),
        ("activations", ctypes.c_void_p),
        ("loss", ctypes.c_int32),
        ("weights", ctypes.c_void_p),
    )


class PointsStruct(ctypes.Structure):
    """`Points` in perceptron.cpp."""

    _fields_ = (
        ("count", ctypes.c_int32),
        ("stride", ctypes.c_int32),
        ("inputs", ctypes.c_void_p),
        ("targets", ctypes.c_void_p),
    )


class OptimiserStruct(ctypes.Structure):
    """`Optimiser` in perceptron.cpp."""

    _fields_ = (
        ("rule", ctypes.c_int32),
        ("lr", ctypes.c_float),
        ("momentum", ctypes.c_float),
        ("decay", ctypes.c_float),
        ("l1", ctypes.c_float),
        ("count", ctypes.c_double),
        ("first", ctypes.c_void_p),
        ("second", ctypes.c_void_p),
    )

    @classmethod
    def of(cls, o: Optimiser) -> OptimiserStruct:
        """The present settings and memory of `o`."""
        rule = OPTIMISERS.index(o.rule)
        return cls(rule, o.lr, o.momentum, o.decay, o.l1, o.count, address(o.first), address(o.second))


class CompiledNetwork:
    """A network's layers as perceptron.cpp reads them. Its weights may move in memory between two calls."""

    def __init__(self, sizes: tuple[int, ...], activations: tuple[str, ...], loss: str) -> None:
        self._sizes = np.array(sizes, np.int32)
        self._activations = np.array([*(ACTIVATIONS.index(name) for name in activations), 0], np.int32)
        self._units = int(self._sizes[1:].sum())
        self._struct = NetworkStruct(
            len(sizes) - 1, address(self._sizes), address(self._activations), LOSSES.index(loss), ctypes.c_void_p()
        )

    def _at(self, weights: Tensor) -> Any:
        self._struct.weights = weights.data_ptr()
        return ctypes.byref(self._struct)

    def train(
        self,
        library: ctypes.CDLL,
        weights: Tensor,
        points: PointsStruct,
        optimiser: Optimiser,
        steps: int,
        batches: npt.NDArray[np.int32] | None,
    ) -> Tensor:
        """`steps` updates in place. Returns mean loss and share of right guesses before each, float32 (2, steps)."""
        numbers = torch.empty(2, steps)
        memory = OptimiserStruct.of(optimiser)
        chosen = None if batches is None else np.ascontiguousarray(batches, np.int32)
        library.perceptron_train(
            self._at(weights),
            ctypes.byref(points),
            ctypes.byref(memory),
            steps,
            None if chosen is None else address(chosen),
            0 if chosen is None else chosen.shape[1],
            address(numbers[0]),
            address(numbers[1]),
        )
        optimiser.count += steps
        return numbers

    def evaluate(
        self, library: ctypes.CDLL, weights: Tensor, points: PointsStruct, gradient: Tensor | None
    ) -> tuple[float, float]:
        """Mean loss and share of right guesses of all points; `gradient`, unless None, gets that of the loss."""
        loss, right = ctypes.c_float(), ctypes.c_float()
        to = None if gradient is None else address(gradient)
        library.perceptron_evaluate(
            self._at(weights), ctypes.byref(points), ctypes.byref(loss), ctypes.byref(right), to
        )
        return loss.value, right.value

    def values(self, library: ctypes.CDLL, weights: Tensor, inputs: Tensor) -> Tensor:
        """The values of all units but the inputs, (units, n), for `inputs` (in, n)."""
        count, inputs = inputs.shape[1], inputs.contiguous()
        values = torch.empty(self._units, count)
        library.perceptron_values(self._at(weights), count, count, address(inputs), address(values), None)
        return values

    def derivatives(self, library: ctypes.CDLL, weights: Tensor, inputs: Tensor) -> Tensor:
        """The derivatives of the units' activations there, likewise."""
        count, inputs = inputs.shape[1], inputs.contiguous()
        values, derivatives = torch.empty(self._units, count), torch.empty(self._units, count)
        library.perceptron_values(
            self._at(weights), count, count, address(inputs), address(values), address(derivatives)
        )
        return derivatives
