"""CIFAR-10 is fetched once for everyone: says that it is missing, fetches it in a thread, shows how far that is."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field

import streamlit as st

from engine.datasets import cifar10
from engine.types import Problem
from pages.live.app_state import app_state
from pages.ui import state
from pages.ui.words import as_text, say

LOG = logging.getLogger("torchroom.data")

# Bytes of the archive, as long as its server has not said.
ARCHIVE_BYTES = 170_052_171


@dataclass
class Download:
    """One download, for all who wait for it."""

    done: int = 0  # bytes
    total: int = 0  # bytes; 0 while that is not known
    going: bool = False
    problem: Problem | None = None  # why the last try failed
    lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self) -> None:
        """Starts the thread unless it is at work already."""
        with self.lock:
            if self.going:
                return
            self.going, self.problem, self.done = True, None, 0
        threading.Thread(target=self._fetch, name="download of CIFAR-10", daemon=True).start()

    def _fetch(self) -> None:
        try:
            cifar10.download(self._on_progress)
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

    def _on_progress(self, done: int, total: int) -> None:
        self.done, self.total = done, total


def download() -> Download:
    """The one download of this server."""
    shared: Download = app_state().shared.setdefault("CIFAR-10", Download())
    return shared


def offer(language: str) -> None:
    """Says that CIFAR-10 is missing and offers to fetch it; nothing where it is there."""
    if cifar10.available():
        if state.get("waited for data"):
            state.put("waited for data", False)
            st.success(say("cifar_here", language), icon=":material/check:")
        return
    if download().going:
        state.put("waited for data", True)
        draw_progress(language)
        return
    problem = download().problem
    if problem:
        st.error(as_text(problem.say(language)), icon=":material/error:")
    else:
        st.caption(say("cifar_missing", language))
    st.button(
        say("cifar_get", language), on_click=download().begin, icon=":material/download:", key="fetch", width="stretch"
    )


@st.fragment(run_every=1.0)
def draw_progress(language: str) -> None:
    """The progress bar; the whole page is drawn again when it is done."""
    current = download()
    if not current.going:
        state.rerun_page()
    if current.total and current.done >= current.total:
        st.progress(1.0, say("cifar_checking", language))
        return
    share = current.done / current.total if current.total else 0.0
    megabytes = {"done": current.done // 2**20, "all": (current.total or ARCHIVE_BYTES) // 2**20}
    st.progress(share, say("cifar_progress", language, **megabytes))
