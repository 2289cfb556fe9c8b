"""Errors as learners read them, in both languages: what happened, and what they can do."""

from __future__ import annotations

from engine.types import Problem


def as_problem(error: Exception) -> Problem:
    """The sentences for an error of a lesson's code; a Problem has its own."""
    if isinstance(error, Problem):
        return error
    name = type(error).__name__
    if isinstance(error, MemoryError) or "out of memory" in str(error).lower():
        return Problem(
            "This run needs more memory than the device has. Choose a smaller batch or network and run again.",
            "这次运行所需的内存超过了设备的容量。请减小批大小或网络后重新运行。",
        )
    detail = f"{name}: {error}"[:300]
    return Problem(
        f"The lesson's code stopped with an error it did not expect ({detail}). Nothing else is affected: "
        "change a setting or run again, and report it if it comes back.",
        f"课程代码遇到意料之外的错误而停止（{detail}）。其他运行不受影响：请更改设置或重新运行；若再次出现，请反馈。",
    )


def too_much_memory(held: int, limit_mb: int) -> Problem:
    """For a run that holds `held` bytes where one may hold `limit_mb` MB."""
    return Problem(
        f"This run holds {held / 1e6:,.0f} MB; one run may hold {limit_mb:,} MB here. Choose a "
        "smaller batch or network and run again.",
        f"这次运行占用 {held / 1e6:,.0f} MB 内存，而这里一次运行最多 {limit_mb:,} MB。请减小批大小或网络后重新运行。",
    )


def not_live(names: list[str]) -> Problem:
    """For settings that cannot change while a run goes on."""
    return Problem(
        f"{', '.join(names)} cannot change while a run goes on. Start a new run with it.",
        f"{', '.join(names)} 不能在运行中更改，请用新的设置重新运行。",
    )


def cannot_start(error: Exception, device: str) -> Problem:
    """For a worker that cannot start on `device`."""
    if isinstance(error, ImportError):
        name = error.name or str(error)
        return Problem(
            f"Nothing can be computed: the Python package {name} is missing or broken. Run `make env`, which "
            "installs what requirements.txt names. Recorded runs can be watched without it.",
            f"这里无法进行计算：缺少 Python 包 {name}，或它已损坏。请运行 `make env`，"
            "它会安装 requirements.txt 中列出的包。没有它也可以观看录制的运行。",
        )
    detail = f"{type(error).__name__}: {error}"[:300]
    return Problem(
        f"The worker cannot start on the device {device!r} ({detail}). Set TORCHROOM_DEVICE to cpu, cuda or mps, "
        "or leave it out.",
        f"工作进程无法在设备 {device!r} 上启动（{detail}）。请把 TORCHROOM_DEVICE 设为 cpu、cuda 或 mps，"
        "或者不设置它。",
    )
