"""Equal networks that differ in their first weights alone, trained side by side.

Step k shows the pass whose gradient makes step k + 1: the loss of its batch, the activations, and the gradients.
"""

from __future__ import annotations

import math
from collections.abc import Generator

import numpy as np
from torch import Tensor

from engine.models.variance import propagate, weight_moments
from engine.params import parse
from engine.types import Arrays, Checkpoint, Job, Scalars, Step, Values
from lessons.initialisation.digits import batch, images
from lessons.initialisation.params import Params
from lessons.initialisation.stack import Floats, Pass, Stack, shapes

CHECK = 10  # steps between two checks on the held-out digits


def run(job: Job, state: Checkpoint | None = None) -> Generator[Step, Values | None, None]:
    """Trains one network for each initialisation by the mean cross-entropy of a batch, and yields at each step.

    Scalars, for each of them: "loss.he", of the batch; "signal.he" and "gradient.he", the mean squares of the
    activations in the last hidden layer and of the gradient in the first; "distinct.he", how many units of a layer
    have weights that no other has; every tenth step "held.he", the accuracy on the held-out digits; "failed.he" if
    the loss is not finite. "loss" is the mean of all; "lr" the learning rate. Raises Problem for a checkpoint of
    networks of another size.
    """
    p = parse(Params, job.params)
    stack = Stack(p, job.seed)
    x, y = batch(0, job.seed)
    latest = stack.backward(x, y)
    theory = expected_squares(stack, latest, x)
    held_out = images()[2:]

    def moment(step: int) -> Step:
        squares = latest.squares()
        scalars = measures(stack, latest, squares)
        if step % CHECK == 0 or step == p.steps:
            shares = zip(p.inits, stack.accuracy(*held_out), strict=True)
            scalars |= {f"held.{init}": share for init, share in shares}

        def frame(shown: Pass = latest) -> Arrays:
            return {"shares": shown.shares(), "squares": squares, "theory": theory}

        return Step(step, scalars, p.steps, frame, lambda: {"step": np.array(step, np.int64), **stack.state()})

    changes: Values | None = None
    if state is None:
        start = 0
        changes = yield moment(0)
    else:
        stack.restore(state)
        start = int(state["step"])
        latest = stack.backward(*batch(start, job.seed))
    for step in range(start + 1, p.steps + 1):
        stack.lr = float((changes or {}).get("lr", stack.lr))
        stack.optimiser.step()
        latest = stack.backward(*batch(step, job.seed))
        changes = yield moment(step)


def expected_squares(stack: Stack, first: Pass, x: Tensor) -> Floats:
    """`first.squares()` in closed form (engine/models/variance.py), given the batch `x` and its gradient at the logits.

    (networks, 2, hidden layers); for the networks as they are before training.
    """
    p = stack.p
    entering = first.logit_gradient.double().square().sum(-1).numpy()
    total, squared = x.double().sum(1).numpy(), x.double().square().sum(1).numpy()
    squares = []
    for k, init in enumerate(p.inits):
        weights = [weight_moments(init, fan_in, fan_out, p.sd, p.value) for fan_in, fan_out in shapes(p)]
        squares.append(propagate(p.activation, p.width, weights, total, squared, entering[k]))
    return np.array(squares)


def measures(stack: Stack, latest: Pass, squares: Floats) -> Scalars:
    """The scalars of every step."""
    losses = [float(loss) for loss in latest.losses]
    scalars: Scalars = {"lr": stack.lr, "loss": sum(losses) / len(losses)}
    distinct = stack.distinct()
    for k, init in enumerate(stack.p.inits):
        scalars |= {
            f"loss.{init}": losses[k],
            f"signal.{init}": float(squares[k, 0, -1]),
            f"gradient.{init}": float(squares[k, 1, 0]),
            f"distinct.{init}": distinct[k],
        }
        if not math.isfinite(losses[k]):
            scalars[f"failed.{init}"] = 1.0
    return scalars
