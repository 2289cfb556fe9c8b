"""Data that is fetched once for everyone: says what is missing, fetches it in a thread, shows how far it is."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field

import streamlit as st

from engine.types import Problem
from pages.live.app_state import app_state
from pages.ui import state
from pages.ui.words import as_text, say

LOG = logging.getLogger("torchroom.data")


@dataclass
class Fetch:
    """One download, for all who wait for it."""

    done: int = 0
    total: int = 0
    going: bool = False
    problem: Problem | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self) -> None:
        """Starts the thread unless it is at work already."""
        with self.lock:
            if self.going:
                return
            self.going, self.problem, self.done = True, None, 0
        threading.Thread(target=self.work, name="download of CIFAR-10", daemon=True).start()

    def work(self) -> None:
        from engine.datasets import cifar10

        try:
            cifar10.download(self.step)
        except Problem as problem:
            self.problem = problem
        except Exception:
            LOG.exception("the download failed")
            self.problem = Problem(
                "The download failed for a reason the server's log names. Try again, or go on with the digits.",
                "下载失败（原因见服务器日志）。请重试，或继续使用手写数字。",
            )
        finally:
            self.going = False

    def step(self, done: int, total: int) -> None:
        self.done, self.total = done, total


def fetch() -> Fetch:
    """The one download of this server."""
    found: Fetch = app_state().shared.setdefault("CIFAR-10", Fetch())
    return found


def offer(language: str) -> None:
    """Says that CIFAR-10 is missing and offers to fetch it; nothing where it is there."""
    from engine.datasets import cifar10

    if cifar10.available():
        if state.get("waited for data"):
            state.put("waited for data", False)
            st.success(say("cifar_here", language), icon=":material/check:")
        return
    if fetch().going:
        state.put("waited for data", True)
        watch(language)
        return
    problem = fetch().problem
    if problem:
        st.error(as_text(problem.say(language)), icon=":material/error:")
    else:
        st.caption(say("cifar_missing", language))
    st.button(
        say("cifar_get", language), on_click=fetch().begin, icon=":material/download:", key="fetch", width="stretch"
    )


@st.fragment(run_every=1.0)
def watch(language: str) -> None:
    """The progress bar; the whole page is drawn again when it is done."""
    one = fetch()
    if not one.going:
        state.again()
    share = one.done / one.total if one.total else 0.0
    if one.total and one.done >= one.total:
        st.progress(1.0, say("cifar_checking", language))
    else:
        st.progress(
            share, say("cifar_progress", language, done=one.done // 2**20, all=(one.total or 170_052_171) // 2**20)
        )
