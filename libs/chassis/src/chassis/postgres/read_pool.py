"""A separate pool for long reads, so that they do not delay other work (ALL-9)."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import asyncpg

from chassis.postgres.database import Connection, Database
from chassis.process.health import Check

READS_MAX = 3
"""Concurrent reads of one process; each has a connection."""
WAIT_SECONDS_MAX = 1.0
"""Wait for a connection; then the read is refused."""
READ_SECONDS_MAX = 5.0
"""Time of one statement; then the server cancels it."""

TOO_MANY_READS = "too-many-reads"
READ_TOO_LONG = "read-took-too-long"
READ_REFUSALS = {429: [TOO_MANY_READS], 503: [READ_TOO_LONG, "temporarily-unavailable"]}
"""Status → problem types of a route that reads from this pool, besides its own."""


class TooManyReadsError(Exception):
    """All connections are in use by other long reads. Try again in a moment."""


class ReadTooLongError(Exception):
    """The read took longer than its limit. Ask for less."""

    def __init__(self, seconds_max: float) -> None:
        super().__init__(
            f"this read took longer than {seconds_max:g} s: ask for a shorter time or add a filter"
        )


class ReadPool(Database):
    """A small pool that refuses a read when it is full.

    Readiness does not depend on it: many or slow reads are no fault of the service.

    Args:
        dsn: connection string of the service's own role.
        application_name: shown in pg_stat_activity.
        reads_max: concurrent reads.
        read_seconds_max: of one statement.
    """

    def __init__(
        self,
        dsn: str,
        *,
        application_name: str,
        reads_max: int = READS_MAX,
        read_seconds_max: float = READ_SECONDS_MAX,
    ) -> None:
        super().__init__(
            dsn,
            application_name=application_name,
            connections_max=reads_max,
            statement_seconds_max=read_seconds_max,
        )
        self._permits = asyncio.Semaphore(reads_max)
        self._read_seconds_max = read_seconds_max

    @asynccontextmanager
    async def deadline(self) -> AsyncGenerator[None]:
        """Bound a read of several statements by the time of one.

        Raises:
            ReadTooLongError: the statements together took longer.
        """
        limit = asyncio.timeout(self._read_seconds_max)
        try:
            async with limit:
                yield
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise ReadTooLongError(self._read_seconds_max) from error

    async def check(self) -> Check:
        return Check(ok=True)

    @asynccontextmanager
    async def connection(self) -> AsyncGenerator[Connection]:
        """Lend a connection, or refuse.

        Raises:
            TooManyReadsError: no connection became free within WAIT_SECONDS_MAX.
            ReadTooLongError: a statement took longer than its limit.
        """
        try:
            async with asyncio.timeout(WAIT_SECONDS_MAX):
                await self._permits.acquire()
        except TimeoutError:
            raise TooManyReadsError from None
        try:
            async with super().connection() as connection:
                yield connection
        except asyncpg.QueryCanceledError as error:
            raise ReadTooLongError(self._read_seconds_max) from error
        finally:
            self._permits.release()
