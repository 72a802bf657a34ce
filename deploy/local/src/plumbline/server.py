"""What the embedded servers have in common: one process each, and data that outlive it."""

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from plumbline.failure import StackError
from plumbline.processes import Process


class Server(ABC):
    """A server on this machine: use it with `async with`, or start and stop; it may be started again."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._process: Process | None = None

    @property
    def process(self) -> Process:
        """The process it runs in, or ran in last; `StackError` if it was never started."""
        if self._process is None:
            raise StackError(f"{self.name} has not been started")
        return self._process

    @property
    def pid(self) -> int:
        """The process id; `StackError` if it was never started."""
        return self.process.pid

    @property
    def running(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.running

    async def start(self) -> None:
        """Start it and wait until it takes requests; what it needs is made or fetched at first.

        `StackError` says what stands in the way; nothing is left running then.
        """
        if self._process:
            self._process.unregister()
        await self._start()

    @abstractmethod
    async def _start(self) -> None:
        """Put the new process into `_process` and launch it."""

    async def stop(self) -> None:
        """Stop in an orderly way, so that the next start needs no recovery."""
        if self._process:
            await self._process.stop()

    async def kill(self) -> None:
        """End it as a crash would, its workers too; the next start recovers."""
        if self._process:
            await self._process.kill()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
