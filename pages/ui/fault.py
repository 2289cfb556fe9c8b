"""What a page says that could not be drawn."""

from __future__ import annotations

import logging

import streamlit as st

from pages.ui import state
from pages.ui.words import say

LOG = logging.getLogger("torchroom.pages")


def explain(error: Exception) -> bool:
    """Says in the learner's language that the page failed; the log has the details. True: Streamlit adds nothing."""
    LOG.error("a page failed", exc_info=error)
    language = state.language()
    st.error(f"**{say('error_title', language)}**\n\n{say('error_text', language)}", icon=":material/error:")
    return True
