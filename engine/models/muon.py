"""The optimiser Muon for hidden weights and Adam for all others, with one learning rate."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch

COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of Jordan and others (2024), see `orthogonaliser`
ITERATIONS = 5
BETAS = (0.9, 0.95)  # of Adam
EPS = 1e-8


@torch.no_grad()
def orthogonaliser(matrix: torch.Tensor) -> torch.Tensor:
    """The square Q for which the singular values of Q @ matrix are near one.

    matrix: (rows, columns), rows <= columns.

    Five Newton-Schulz iterations with the coefficients of Jordan and others, "Muon: An optimizer for hidden layers
    in neural networks" (2024), bring the singular values between about 0.7 and 1.2. Each iteration multiplies by a
    polynomial of the Gram matrix, and polynomials of one matrix commute: their product is taken among (rows, rows)
    matrices, and the matrix itself is multiplied once, by the caller.
    """
    a, b, c = COEFFICIENTS
    gram = matrix @ matrix.T
    squared_norm = gram.trace().clamp_min(1e-14)  # Frobenius; the matrix is divided by the norm
    gram /= squared_norm
    product = None
    for left in reversed(range(ITERATIONS)):
        factor = torch.addmm(gram, gram, gram, beta=b, alpha=c)
        factor.diagonal().add_(a)
        product = factor if product is None else product @ factor
        if left:
            gram = gram @ (factor @ factor)
    assert product is not None
    return product * squared_norm.rsqrt()


def as_matrix(tensor: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """`tensor`, in the shape of `weight`, as a matrix of at least as many columns as rows: (filters, all else), or that
    transposed.

    The columns are in the order of `weight` in memory, so the matrix of `weight` itself is a view. Their order does not
    matter to `orthogonaliser`.
    """
    channels_last = weight.ndim == 4 and weight.is_contiguous(memory_format=torch.channels_last)
    matrix = (tensor.movedim(1, -1) if channels_last else tensor).flatten(1)
    return matrix.T if len(matrix) > matrix.shape[1] else matrix


class Muon(torch.optim.Optimizer):
    """Hidden weights step along the orthogonal factor of their averaged gradient; other parameters are Adam's.

    A group whose "hidden" is True holds weights of two dimensions or more (of a convolution: filters times all else).
    Their steps are scaled to a root mean square of 0.2, about that of Adam's (Liu and others, "Muon is scalable for LLM
    training", 2025), so that one `lr` fits both. Weight decay is decoupled. `torch.optim.Muon` is the same for matrices
    alone; tests/unit/test_muon.py compares the two.
    """

    def __init__(
        self,
        params: Iterable[dict[str, Any]],
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
    ) -> None:
        # "fused" makes load_state_dict put Adam's step counts on the weights' device
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "hidden": False, "fused": True}
        super().__init__(params, defaults)

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
            step = as_matrix(ahead, weight)
            scale = -0.2 * max(step.shape) ** 0.5 * group["lr"]
            as_matrix(weight, weight).addmm_(orthogonaliser(step), step, beta=keep, alpha=scale)

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
