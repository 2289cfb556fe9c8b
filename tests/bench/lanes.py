"""`lanes`: small classifiers through the real engine and a worker process, beside a plain torch loop of one of them.

single_speedup           learner-steps a second of one learner alone over those of the plain loop, same network
per_learner_speedup_128  the same of 128 learners together, mixed optimisers, widths and depths
learner_steps_per_s_128  what those 128 do, every step's loss recorded

The plain loop: nn.Sequential 2-4-2-1, batch 10, zero_grad, forward, backward, torch.optim.SGD.step, one thread, in a
process of its own. All three take turns; the figures are medians of the rounds.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from engine.backends.process import ProcessBackend
from engine.limits import Limits
from engine.models.names import OPTIMISERS
from engine.runs.engine import Engine, Run
from engine.types import Job

ENTRY = "tests.engine.classifier.compute:run"
LEARNERS = 128
ROUNDS = 5
WINDOW_S = 3.0
MOST = 1_000_000  # steps of one run: a few more, and it has recorded as much as one may
FOREVER = 50_000_000
PLAIN = """
import time, torch
from torch import nn
torch.set_num_threads(1)
torch.manual_seed(0)
x, y = torch.randn(200, 2), torch.randint(0, 2, (200, 1)).float()
model = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 2), nn.Tanh(), nn.Linear(2, 1))
optimiser = torch.optim.SGD(model.parameters(), lr=0.03)
loss_function = nn.BCEWithLogitsLoss()
batches = torch.randint(0, 200, (4000, 10))
def steps(some):
    for batch in some:
        optimiser.zero_grad()
        loss = loss_function(model(x[batch]), y[batch])
        loss.backward()
        optimiser.step()
        loss.item()
steps(batches[:500])
began = time.perf_counter()
steps(batches[500:])
print((time.perf_counter() - began) / 3500)
"""


def plain() -> float:
    """Seconds that a step of the plain loop takes."""
    done = subprocess.run([sys.executable, "-c", PLAIN], capture_output=True, text=True, check=True)
    return float(done.stdout)


def jobs() -> list[Job]:
    """128 learners' settings: all optimisers, one to four hidden layers of two to eight units."""
    return [
        Job(
            ENTRY,
            {
                "optimiser": OPTIMISERS[n % 7],
                "hidden": "-".join([str(2 + n % 7)] * (1 + n % 4)),
                "batch": 10,
                "steps": FOREVER,
            },
            n,
        )
        for n in range(LEARNERS)
    ]


def rate(engine: Engine, asked: list[Job]) -> float:
    """Steps a second of these jobs, each a learner's own, started together."""
    runs: list[Run] = [engine.submit(job, f"learner {n}", again=True) for n, job in enumerate(asked)]
    for n, run in enumerate(runs):
        engine.watch(run.id, f"viewer {n}", f"learner {n}")
    while any(run.step < 1000 for run in runs):
        time.sleep(0.02)
    began, before = time.perf_counter(), sum(run.step for run in runs)
    while time.perf_counter() - began < WINDOW_S and all(run.step < MOST for run in runs):
        time.sleep(0.02)
    found = (sum(run.step for run in runs) - before) / (time.perf_counter() - began)
    for n, run in enumerate(runs):
        engine.tell(run.id, f"learner {n}", "stop")
    while not all(run.ended for run in runs):
        time.sleep(0.02)
    for run in runs:
        kept = sum(len(group.steps) for group in run.record.blocks())
        if kept != run.step + 1:
            raise RuntimeError(f"{run.id} recorded {kept} losses of {run.step + 1} steps")
    return found


def main() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        engine = Engine(ProcessBackend("cpu", threads=1), Path(folder) / "runs", limits=Limits(active=LEARNERS))
        engine.start()
        one = Job(ENTRY, {"hidden": "4-2", "batch": 10, "steps": FOREVER}, 0)
        rounds = [(plain(), rate(engine, [one]), rate(engine, jobs())) for _ in range(ROUNDS)]
        engine.close()

    def middle(values: list[float]) -> float:
        return round(statistics.median(values), 1)

    return {
        "single_speedup": middle([seconds * alone for seconds, alone, _ in rounds]),
        "per_learner_speedup_128": middle([seconds * many for seconds, _, many in rounds]),
        "learner_steps_per_s_128": middle([many for _, _, many in rounds]),
        "plain_us": middle([1e6 * seconds for seconds, _, _ in rounds]),
        "single_us": middle([1e6 / alone for _, alone, _ in rounds]),
    }
