"""Streamlit sessions without a browser: its websocket protocol, spoken by as many learners as are wanted."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import Any

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol


@dataclass
class Widget:
    """A widget as it was last drawn: its id, its element, and the fragment it is in."""

    id: str
    kind: str
    element: Any
    fragment: str


@dataclass
class Session:
    """One browser tab: opens a page, moves widgets, and waits for the script to finish."""

    port: int
    page: str
    query: str = ""
    id: str = ""
    page_hash: str = ""
    widgets: dict[str, Widget] = field(default_factory=dict)  # user key -> widget
    states: dict[str, WidgetState] = field(default_factory=dict)
    board: dict[str, Any] = field(default_factory=dict)  # the live component's data
    timer: str = ""  # the fragment that a browser redraws by the clock
    errors: list[str] = field(default_factory=list)
    ws: ClientConnection | None = None

    async def open(self) -> None:
        """Connects (again, as the same session, if it was connected before) and lets the page draw itself."""
        resume = [Subprotocol(self.id)] if self.id else []
        self.ws = await connect(
            f"ws://127.0.0.1:{self.port}/_stcore/stream",
            subprotocols=[Subprotocol("streamlit"), Subprotocol("none"), *resume],
            max_size=None,
            compression=None,
        )

    async def join(self) -> float:
        """Connects and runs the page once. Returns how long that took, in seconds."""
        began = time.perf_counter()
        await self.open()
        await self.rerun()
        return time.perf_counter() - began

    async def rerun(self, fragment: str = "", trigger: WidgetState | None = None) -> float:
        """One script run with the widgets as they stand. Returns its time, in seconds."""
        assert self.ws is not None
        message = BackMsg()
        state = message.rerun_script
        state.query_string = self.query
        state.page_script_hash = self.page_hash
        state.page_name = "" if self.page_hash else self.page
        state.fragment_id = fragment
        state.context_info.locale = "en-US"
        state.context_info.timezone = "UTC"
        for one in self.states.values():
            state.widget_states.widgets.append(one)
        if trigger is not None:
            state.widget_states.widgets.append(trigger)
        began = time.perf_counter()
        await self.ws.send(message.SerializeToString())
        await self.finished()
        return time.perf_counter() - began

    async def finished(self) -> None:
        """Reads until the script has finished."""
        assert self.ws is not None
        timer = ""
        while True:
            data = await asyncio.wait_for(self.ws.recv(), 60)
            message = ForwardMsg()
            message.ParseFromString(data if isinstance(data, bytes) else data.encode())
            kind = message.WhichOneof("type")
            if kind == "new_session":
                self.id = message.new_session.initialize.session_id or self.id
                self.page_hash = message.new_session.page_script_hash
                timer = ""
            elif kind == "navigation":
                self.page_hash = message.navigation.page_script_hash  # of the page that was found by its name
            elif kind == "auto_rerun":
                timer = message.auto_rerun.fragment_id
            elif kind == "page_info_changed":
                self.query = message.page_info_changed.query_string
            elif kind == "delta" and message.delta.WhichOneof("type") == "new_element":
                self.seen(message.delta)
            elif kind == "script_finished":
                # 0: done, 1: failed to compile, 2: stopped for a newer rerun, 3: a fragment is done
                if message.script_finished == 0:
                    self.timer = timer
                if message.script_finished in (0, 3):
                    return
                if message.script_finished == 1:
                    self.errors.append("compile error")
                    return

    def seen(self, delta: Any) -> None:
        element = delta.new_element
        kind = element.WhichOneof("type")
        body = getattr(element, kind)
        if kind == "exception":
            self.errors.append(f"{body.type}: {body.message}")
        if kind == "bidi_component":
            self.board = (
                json.loads(body.mixed.json or "{}") if body.HasField("mixed") else json.loads(body.json or "{}")
            )
        name = getattr(body, "id", "")
        if name.startswith("$$"):
            key = name.split("-", 2)[-1]
            self.widgets[key] = Widget(name, kind, body, delta.fragment_id)

    async def press(self, key: str) -> float:
        """Presses the button of that key."""
        widget = self.widgets[key]
        return await self.rerun(widget.fragment, WidgetState(id=widget.id, trigger_value=True))

    async def set(self, key: str, **value: Any) -> float:
        """Moves a widget: set("x.lr", double_value=0.1). Returns the time of the rerun."""
        widget = self.widgets[key]
        state = WidgetState(id=widget.id)
        for name, one in value.items():
            if name.endswith("_array_value"):
                getattr(state, name).data[:] = one
            else:
                setattr(state, name, one)
        self.states[widget.id] = state
        return await self.rerun(widget.fragment)

    async def cut(self) -> None:
        """Loses the network: the connection is gone without a word."""
        if self.ws is not None:
            self.ws.transport.abort()
            await self.ws.wait_closed()

    async def close(self) -> None:
        if self.ws is not None:
            await self.ws.close()
