"""When a connection is not read, and how long it is kept for a client that does not read its answer."""

import asyncio
from collections.abc import Collection
from typing import Any

from uvicorn.protocols.http.flow_control import FlowControl

UNREAD_SECONDS_MAX = 30.0
"""A client that reads nothing of its answer for so long is let go: its connection is aborted."""


class PipelineFlow(FlowControl):
    """Does not read on while requests wait behind the one that is worked on.

    Args:
        transport: of the connection.
        waiting: those requests, as they are at each moment.
    """

    def __init__(self, transport: asyncio.Transport, waiting: Collection[Any]) -> None:
        super().__init__(transport)
        self._waiting = waiting

    def resume_reading(self) -> None:
        """Unless a request waits."""
        if self.read_paused and not self._waiting:
            super().resume_reading()


class UnreadAnswer:
    """Watches that a client reads what was written to it.

    Args:
        transport: of the connection.
        loop: that it lives in.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._deadline: asyncio.TimerHandle | None = None

    def watch(self) -> None:
        """If something is unread, from now on, until `forget`."""
        unread = self._transport.get_write_buffer_size()
        if unread and self._deadline is None:
            self._deadline = self._loop.call_later(UNREAD_SECONDS_MAX, self._look, unread)

    def forget(self) -> None:
        """It reads again, or is gone."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _look(self, unread_before: int) -> None:
        self._deadline = None
        if self._transport.get_write_buffer_size() < unread_before:
            self.watch()  # it reads, if slowly
        else:
            self._transport.abort()
