"""What each learner may have: runs at once, and steps and computing time within a day."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from engine.limits import DAY_S, Limits
from engine.runs.run import Run
from engine.types import Problem


@dataclass(slots=True)
class Account:
    """What a learner's runs have taken since `since`: training steps, and seconds of the workers."""

    steps: int = 0
    seconds: float = 0.0
    since: float = field(default_factory=time.monotonic)


class Quotas:
    """The accounts of all learners. Not for several threads at once."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._accounts: dict[str, Account] = {}

    def admit(self, learner: str, unended: Sequence[Run], waiting: int) -> list[Run]:
        """Whether `learner` may have one more run, beside those of theirs that have not ended.

        waiting: how many runs wait in the queue, of all learners. Returns the runs to stop for it, which nobody
        watches. Raises Problem where there is no room.
        """
        exhausted = self.exhausted(learner)
        if exhausted:
            raise exhausted
        limit = self.limits.runs
        to_stop = [run for run in unended if not run.viewers][: max(0, len(unended) - limit + 1)]
        left = len(unended) - len(to_stop)
        if left >= limit:
            raise Problem(
                f"You have {left} runs going; {limit} at once is the limit. Stop one, then run this.",
                f"你已有 {left} 个运行在进行，上限为 {limit} 个。请先停止一个。",
            )
        if waiting >= self.limits.waiting:
            raise Problem(
                f"{waiting} runs are waiting for their turn here, the most there may be. Try again in a minute.",
                f"这里已有 {waiting} 个运行在排队，达到上限。请过一分钟再试。",
            )
        return to_stop

    def charge(self, learner: str, steps: int, seconds: float) -> Problem | None:
        """Adds to a learner's account. Returns why they must wait from now on, if so."""
        account = self._accounts.setdefault(learner, Account())
        account.steps += max(0, steps)
        account.seconds += seconds
        return self.exhausted(learner)

    def exhausted(self, learner: str) -> Problem | None:
        """Why this learner must wait until a day has passed since their first run, if so."""
        account = self._accounts.get(learner)
        if account is None:
            return None
        hours = (account.since + DAY_S - time.monotonic()) / 3600
        if hours <= 0:
            del self._accounts[learner]
            return None
        for used, limit, en, zh in (
            (account.steps, self.limits.steps, "training steps", "训练步"),
            (int(account.seconds), self.limits.seconds, "seconds of computing", "秒计算时间"),
        ):
            if used >= limit:
                return Problem(
                    f"Your runs have taken {used:,} {en} within a day; {limit:,} is the limit here. What is recorded "
                    f"can still be replayed; new steps are possible again in {hours:.1f} hours.",
                    f"你的运行在一天内已用去 {used:,} {zh}，这里的上限是 {limit:,}。"
                    f"已有的记录仍可回放，{hours:.1f} 小时后可以继续训练。",
                )
        return None

    def prune(self) -> None:
        """Forgets the accounts that are older than a day."""
        now = time.monotonic()
        self._accounts = {name: account for name, account in self._accounts.items() if now < account.since + DAY_S}
