"""Muon for hidden weights, Adam for all others, in one optimiser with one learning rate."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5
BETAS = (0.9, 0.95)
EPS = 1e-8


@torch.no_grad()
def levelling(matrix: torch.Tensor) -> torch.Tensor:
    """The square that, times `matrix` (rows, columns), brings all its singular values near one; rows <= columns.

    Five Newton-Schulz iterations with the coefficients of Jordan and others, "Muon: An optimizer for hidden layers
    in neural networks" (2024), which bring them between about 0.7 and 1.2 rather than exactly to one. Each iteration
    multiplies by a polynomial of the Gram matrix, and polynomials of one matrix commute: so they are gathered in that
    small square, and the matrix itself is multiplied once, at the end.
    """
    a, b, c = COEFFICIENTS
    gram = matrix @ matrix.T
    squared = gram.trace().clamp_min(1e-14)  # of the Frobenius norm, by which the matrix is divided
    gram /= squared
    whole = None
    for left in reversed(range(ITERATIONS)):
        factor = torch.addmm(gram, gram, gram, beta=b, alpha=c)
        factor.diagonal().add_(a)
        whole = factor if whole is None else whole @ factor
        if left:
            gram = gram @ (factor @ factor)
    assert whole is not None
    return whole * squared.rsqrt()


def flat(tensor: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """`tensor`, of the shape of `weight`, as a matrix no higher than wide: filters times the rest.

    Its columns are in the order in which those of `weight` lie in memory, so that of `weight` itself it is a view;
    levelling does not depend on their order.
    """
    last = weight.ndim == 4 and weight.is_contiguous(memory_format=torch.channels_last)
    matrix = (tensor.movedim(1, -1) if last else tensor).flatten(1)
    return matrix.T if len(matrix) > matrix.shape[1] else matrix


class Muon(torch.optim.Optimizer):
    """Steps of hidden weights are the orthogonal part of their averaged gradient; other parameters go by Adam.

    A group whose "hidden" is True holds weights of two dimensions or more (convolutions: filters times all the rest).
    Their steps are scaled to the size Adam's have, 0.2 root mean square (Liu and others, "Muon is scalable for LLM
    training", 2025), so that one `lr` fits both. Weight decay is decoupled. `torch.optim.Muon` does the same for
    matrices only; a test compares the two.
    """

    def __init__(
        self,
        params: Iterable[dict[str, Any]],
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
    ) -> None:
        # "fused" tells torch, when it loads a state, to bring Adam's counts to where the weights are
        known = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "hidden": False, "fused": True}
        super().__init__(params, known)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            if group["hidden"]:
                self._muon(group)
            else:
                self._adam(group)

    def _muon(self, group: dict[str, Any]) -> None:
        weights = [weight for weight in group["params"] if weight.grad is not None]
        for weight in weights:
            if not self.state[weight]:
                self.state[weight]["momentum_buffer"] = torch.zeros_like(weight)
        averages = [self.state[weight]["momentum_buffer"] for weight in weights]
        gradients = [weight.grad for weight in weights]
        torch._foreach_lerp_(averages, gradients, 1 - group["momentum"])
        keep = 1 - group["lr"] * group["weight_decay"]
        for weight, ahead in zip(weights, torch._foreach_lerp(gradients, averages, group["momentum"]), strict=True):
            step = flat(ahead, weight)
            by = -0.2 * max(step.shape) ** 0.5 * group["lr"]
            flat(weight, weight).addmm_(levelling(step), step, beta=keep, alpha=by)

    def _adam(self, group: dict[str, Any]) -> None:
        weights = [weight for weight in group["params"] if weight.grad is not None]
        for weight in weights:
            if not self.state[weight]:
                self.state[weight].update(
                    step=torch.zeros((), device=weight.device),
                    exp_avg=torch.zeros_like(weight),
                    exp_avg_sq=torch.zeros_like(weight),
                )
        states = [self.state[weight] for weight in weights]
        torch._fused_adamw_(
            weights,
            [weight.grad for weight in weights],
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            [state["step"].add_(1) for state in states],
            lr=group["lr"],
            beta1=BETAS[0],
            beta2=BETAS[1],
            weight_decay=group["weight_decay"],
            eps=EPS,
            amsgrad=False,
            maximize=False,
        )
