"""Base class of the embedded servers: one process each, and data that remain after a stop."""

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from plumbline.failure import StackError
from plumbline.processes import Process


class Server(ABC):
    """A server on this machine: use it with `async with`, or start and stop; a restart is possible."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._process: Process | None = None

    @property
    def process(self) -> Process:
        """Return the current or last process; raise `StackError` before the first start."""
        if self._process is None:
            raise StackError(f"{self.name} has not been started")
        return self._process

    @property
    def pid(self) -> int:
        """Process id; `StackError` before the first start."""
        return self.process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.running

    async def start(self) -> None:
        """Start the server, set up its files at the first start, and wait until it accepts requests.

        Raises:
            StackError: the server cannot start; no process is left running.
        """
        if self._process:
            self._process.unregister()
        await self._start()

    @abstractmethod
    async def _start(self) -> None:
        """Set `_process` to a new process and launch it."""

    async def stop(self) -> None:
        """Stop gracefully, so that the next start needs no recovery."""
        if self._process:
            await self._process.stop()

    async def kill(self) -> None:
        """Kill the server and its workers, as in a crash; the next start recovers the data."""
        if self._process:
            await self._process.kill()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
