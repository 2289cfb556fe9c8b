"""What the messages from browsers do."""

from __future__ import annotations

import logging

import orjson

from engine.params import parse
from engine.runs.engine import Engine
from engine.types import Problem
from lessons import catalog
from pages.live.connection import Connection
from pages.live.hub import Hub
from pages.live.protocol import (
    FAILED,
    MALFORMED,
    TOO_FAST,
    AnswerMessage,
    AskRequest,
    BeginRequest,
    Bilingual,
    BrowserMessage,
    LeaveRequest,
    MovedMessage,
    NextMessage,
    TellRequest,
    WatchRequest,
    parse_message,
    request_id,
)

LOG = logging.getLogger("torchroom.live")

# Questions of one browser that may be under way at once.
QUESTIONS = 8
# Runs that one browser may watch.
WATCHED_RUNS = 64


class Dispatcher:
    """Passes messages from browsers on to the hub and the engine."""

    def __init__(self, hub: Hub, engine: Engine) -> None:
        self._hub = hub
        self._engine = engine

    def handle(self, connection: Connection, text: str) -> None:
        """Does what a message asks; whatever is wrong with it is said, and nothing else happens."""
        request = None
        try:
            data = orjson.loads(text)
            request = request_id(data)
            self._dispatch(connection, parse_message(data))
        except Problem as problem:
            connection.refuse(request, Bilingual.of(problem))
        except (TypeError, ValueError, KeyError):  # what json and pydantic raise among them
            connection.refuse(request, MALFORMED)
        except Exception:
            LOG.exception("message failed: %.200s", text)
            connection.refuse(request, FAILED)

    def _dispatch(self, connection: Connection, message: BrowserMessage) -> None:
        match message:
            case WatchRequest():
                self._watch(connection, message)
            case LeaveRequest(run=run) if run in connection.cursors:
                self._hub.leave(connection, run)
            case LeaveRequest():
                pass
            case TellRequest():
                self._tell(connection, message)
            case BeginRequest():
                self._begin(connection, message)
            case AskRequest():
                self._ask(connection, message)

    def _watch(self, connection: Connection, message: WatchRequest) -> None:
        if len(connection.cursors) >= WATCHED_RUNS and message.run not in connection.cursors:
            raise Problem(
                f"This page already watches {WATCHED_RUNS} runs, the most one page may. Close one first.",
                f"本页已在观看 {WATCHED_RUNS} 个运行，这是一页的上限。请先关掉一个。",
            )
        connection.post(*self._hub.join(connection, message.run, max(-1, message.seen), message.aside))

    def _tell(self, connection: Connection, message: TellRequest) -> None:
        changes = message.changes
        if changes:
            job = self._engine.get(message.run).job
            params = parse(catalog.params(job.lesson), {**job.params, **changes})
            changes = {name: value for name, value in params.model_dump(mode="json").items() if name in changes}
        moved = self._engine.tell(message.run, connection.learner, message.command, changes)
        if moved != message.run:
            first = self._hub.join(connection, moved, -1)
            if message.run in connection.cursors:
                self._hub.leave(connection, message.run)
            connection.post(MovedMessage(message.run, moved).pack(), *first)

    def _begin(self, connection: Connection, message: BeginRequest) -> None:
        """A run with other settings in the place of `message.run`, with no page to be drawn in between."""
        if message.run not in connection.cursors:
            raise MALFORMED.problem()
        lesson = self._engine.get(message.run).job.lesson
        job = catalog.job(lesson, parse(catalog.params(lesson), message.settings))
        run = self._engine.submit(job, connection.learner).id
        first = [] if run == message.run else self._hub.join(connection, run, -1)
        connection.post(NextMessage(message.id, message.run, run).pack(), *first)
        if run != message.run:
            self._hub.leave(connection, message.run)  # it pauses at once, and leaves the worker to the new one

    def _ask(self, connection: Connection, message: AskRequest) -> None:
        if connection.questions >= QUESTIONS:
            raise TOO_FAST.problem()
        connection.questions += 1
        self._hub.spawn(self._answer(connection, message))

    async def _answer(self, connection: Connection, message: AskRequest) -> None:
        try:
            step, patches, arrays = await self._hub.frames.answer(message.run, message.step, message.name, message.args)
            connection.post(AnswerMessage(message.id, message.run, step, message.name, patches).pack(arrays))
        except Problem as problem:
            connection.refuse(message.id, Bilingual.of(problem))
        except Exception:
            LOG.exception("question %r about run %s failed", message.name, message.run)
            connection.refuse(message.id, FAILED)
        finally:
            connection.questions -= 1
