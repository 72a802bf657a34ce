"""A process that serves HTTP, and its readiness probe."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from plumbline.ledger import Ledger
from plumbline.processes import READY_SECONDS_MAX, Process

# Longer than a service waits for its broker and database before it reports them as unavailable.
_PROBE_SECONDS_MAX = 5.0


class ServiceProcess(Process):
    """A process that answers 200 at `ready_url` when it is ready; use it with `async with`, or start it."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        environment: Mapping[str, str],
        log_path: Path,
        ready_url: str,
        *,
        ledger: Ledger | None = None,
    ) -> None:
        super().__init__(name, command, environment=environment, log_path=log_path, ledger=ledger)
        self.ready_url = ready_url

    async def start(self, *, seconds_max: float = READY_SECONDS_MAX) -> None:
        """Start the process and wait until it is ready; after a failure no process is left running."""
        async with loopback_client() as client:
            await self.launch(lambda: answers_ok(client, self.ready_url), seconds_max=seconds_max)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


def loopback_client() -> httpx.AsyncClient:
    """Return a client for services on this machine, with a timeout and without proxy."""
    return httpx.AsyncClient(timeout=_PROBE_SECONDS_MAX, trust_env=False)


async def answers_ok(client: httpx.AsyncClient, url: str) -> bool:
    """Return whether `url` answers 200; False for a refused or broken connection."""
    try:
        return (await client.get(url)).is_success
    except httpx.TransportError:
        return False
