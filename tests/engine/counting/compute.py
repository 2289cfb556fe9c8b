"""Counts. `value` adds a global random number times `rate` in each step, so that generators are seen to be kept."""

import os
import time
from collections.abc import Generator
from functools import partial

import numpy as np
import torch

from engine.params import parse
from engine.types import Arrays, Checkpoint, Job, Problem, Step, Values
from tests.engine.counting.params import Params


def run(job: Job, state: Checkpoint | None = None) -> Generator[Step, Values | None, None]:
    p = parse(Params, job.params)
    step, value, rate = -1, 0.0, p.rate
    if state:
        step, value = int(state["step"]), float(state["value"])

    def checkpoint() -> Checkpoint:
        return {"step": np.array(step), "value": np.array(value)}

    held = []
    while step < p.steps:
        step += 1
        held.append(b"\1" * (p.grows * 1_000_000))
        if step:
            value += rate * float(torch.rand(())) + float(np.random.rand())
            time.sleep(p.cost_s)
        if p.fail != "no" and step == p.fail_at:
            fail(p.fail)
        scalars = {"value": value} if step % 10 else {"value": value, "tenth": float(step)}
        picture = partial(picture_of, step)
        changes = yield Step(step, scalars, p.steps, picture, checkpoint, keep=p.label == "whole")
        rate = (changes or {}).get("rate", rate)


def picture_of(step: int) -> Arrays:
    return {"picture": np.full((2, 3), step % 256, np.uint8)}


def fail(how: str) -> None:
    if how == "raise":
        raise KeyError("nothing here")
    if how == "problem":
        raise Problem("It went wrong. Do this.", "出错了，请这样做。")
    if how == "memory":
        raise MemoryError
    if how == "die":
        os._exit(7)
    time.sleep(1000)


def look(job: Job, state: Checkpoint, name: str, args: Values) -> Arrays:
    if name == "double":
        return {"twice": np.array([2 * float(state["value"])])}
    raise Problem(f"There is no {name!r} to look at.", f"没有“{name}”可看。")
