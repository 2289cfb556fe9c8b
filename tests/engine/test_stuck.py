"""A worker that cannot start says what is missing, to whoever waits for it, and is tried less and less often."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from engine.backends.choose import choose_backend
from engine.backends.pool import MAX_RETRY_S, WorkerHandle
from engine.backends.process import ProcessBackend
from engine.backends.ray import RayBackend, Request
from engine.messages import WorkerReady
from engine.runs.engine import Engine
from engine.types import Job, Problem
from tests.conftest import need_ray, wait_until
from tests.engine.test_engine import finished, job


def test_without_torch_the_learner_reads_so_and_the_run_goes_on_once_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "path" / "torch.py"
    broken.parent.mkdir()
    broken.write_text("raise ModuleNotFoundError(\"No module named 'torch'\", name='torch')")
    monkeypatch.setenv("PYTHONPATH", str(broken.parent))
    engine = Engine(ProcessBackend("cpu", threads=1), tmp_path / "runs")
    engine.start()
    early = engine.submit(job(1, steps=30), "ann")
    wait_until(lambda: early.note and "package torch is missing" in early.note.en, what="the words")
    assert early.note is not None
    assert "make env" in early.note.zh
    assert [one["state"] for one in engine.devices()] == ["stuck"]
    late = engine.submit(job(2, steps=30), "bob")
    wait_until(lambda: late.note and "torch" in late.note.en, what="the words for who comes later")
    assert [problem.en for problem in engine.problems()] == [early.note.en]
    broken.unlink()
    for run in (early, late):
        assert finished(run).status == "done"
        assert run.note is None
    assert engine.problems() == []
    engine.close()


def test_tries_become_rare_and_a_start_makes_them_quick_again() -> None:
    member = WorkerHandle("1", "cpu", ProcessBackend().outbox)
    words = Problem("no", "不")
    assert [member.on_death(1, error=words) for _ in range(8)] == [1, 2, 4, 8, 16, 32, MAX_RETRY_S, MAX_RETRY_S]
    member.on_message(WorkerReady("cpu").pack())
    assert member.error is None
    assert member.on_death(-9) == 0.0
    assert member.on_death(1, error=words) == 1


def test_a_device_that_is_not_there_is_named(tmp_path: Path) -> None:
    engine = Engine(ProcessBackend("cuda:7", threads=1), tmp_path / "runs")
    engine.start()
    wait_until(engine.problems, what="the words")
    assert "'cuda:7'" in engine.problems()[0].en
    assert "TORCHROOM_DEVICE" in engine.problems()[0].zh
    engine.close()


def test_a_ray_that_does_not_answer_is_named_and_tried_again(tmp_path: Path) -> None:
    need_ray()
    engine = Engine(RayBackend(Request("ray://127.0.0.1:9")), tmp_path / "runs")
    engine.start()
    run = engine.submit(Job("tests.engine.counting.compute:run"), "ann")
    bridge = cast("RayBackend", engine.backend).bridge
    wait_until(lambda: bridge.failed_starts > 1, 60, "a second try")
    wait_until(lambda: run.note and "ray://127.0.0.1:9" in run.note.en, what="the words")
    assert "refused" in engine.problems()[0].en
    engine.close()
    assert run.status == "queued"


# Settings


def test_the_engine_is_chosen_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert type(choose_backend({})) is ProcessBackend
    local = choose_backend({"TORCHROOM_ENGINE": "process", "TORCHROOM_DEVICE": "cpu"})
    assert isinstance(local, ProcessBackend)
    assert local.device == "cpu"
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    found = choose_backend(
        {
            "TORCHROOM_ENGINE": "ray://head.example:10001", "TORCHROOM_RAY_GPUS": "0.25", "TORCHROOM_RAY_CPUS": "2",
            "TORCHROOM_RAY_WORKERS": "8", "TORCHROOM_DEVICE": "cuda",
        }
    )  # fmt: skip
    assert isinstance(found, RayBackend)
    asked = found.request
    assert (asked.address, asked.gpus, asked.cpus, asked.workers, asked.device) == (
        "ray://head.example:10001", 0.25, 2.0, 8, "cuda",
    )  # fmt: skip
    plain = choose_backend({"TORCHROOM_ENGINE": "ray"})
    assert isinstance(plain, RayBackend)
    assert plain.request == Request()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"TORCHROOM_ENGINE": "slurm"}, "'slurm' is no engine"),
        ({"TORCHROOM_ENGINE": "ray://"}, "'ray://' is no address"),
        ({"TORCHROOM_ENGINE": "ray://host"}, "ray://HOST:10001"),
        ({"TORCHROOM_ENGINE": "ray", "TORCHROOM_RAY_GPUS": "half"}, "TORCHROOM_RAY_GPUS='half'"),
        ({"TORCHROOM_ENGINE": "ray", "TORCHROOM_RAY_GPUS": "nan"}, "TORCHROOM_RAY_GPUS='nan'"),
        ({"TORCHROOM_ENGINE": "ray", "TORCHROOM_RAY_GPUS": "1.5"}, "whole number of GPUs"),
        ({"TORCHROOM_ENGINE": "ray", "TORCHROOM_RAY_CPUS": "0"}, "0.1 to 256"),
        ({"TORCHROOM_ENGINE": "ray", "TORCHROOM_RAY_WORKERS": "2.5"}, "whole number from 1 to 256"),
    ],
)
def test_a_setting_that_is_not_possible_is_named_with_its_bounds(settings: dict[str, str], words: str) -> None:
    with pytest.raises(Problem) as found:
        choose_backend(settings)
    assert words in found.value.en
    assert next(value for name, value in settings.items() if value != "ray") in found.value.zh


def test_ray_that_is_not_installed_is_said_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(Problem, match=r"requirements-ray\.txt"):
        choose_backend({"TORCHROOM_ENGINE": "ray"})
