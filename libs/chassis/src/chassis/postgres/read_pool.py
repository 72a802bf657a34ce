"""A pool of their own for reads that can take long, so that they cannot starve everything else (ALL-9)."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import asyncpg

from chassis.postgres.database import Connection, Database
from chassis.process.health import Check

READS_MAX = 3
"""Reads at once in one process; each has a connection."""
WAIT_SECONDS_MAX = 1.0
"""For a place; then the read is refused."""
READ_SECONDS_MAX = 5.0
"""Of one statement; then the server ends it."""

TOO_MANY_READS = "too-many-reads"
READ_TOO_LONG = "read-took-too-long"
READ_REFUSALS = {429: [TOO_MANY_READS], 503: [READ_TOO_LONG, "temporarily-unavailable"]}
"""What a route answers besides its own when it reads from such a pool."""


class TooManyReadsError(Exception):
    """All places are taken by other long reads: try again in a moment."""


class ReadTooLongError(Exception):
    """The read took longer than its limit: ask for less."""

    def __init__(self, seconds_max: float) -> None:
        super().__init__(
            f"this read took longer than {seconds_max:g} s: ask for a shorter time or one filter more"
        )


class ReadPool(Database):
    """A small pool whose users are refused when it is full, instead of waiting.

    It does not count for readiness: that its reads are many or slow is no fault of the service.

    Args:
        dsn: connection string of the service's own role.
        application_name: shown in pg_stat_activity.
        reads_max: at once.
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
        self._places = asyncio.Semaphore(reads_max)
        self._read_seconds_max = read_seconds_max

    async def check(self) -> Check:
        """Return a good one: readiness does not depend on these reads."""
        return Check(ok=True)

    @asynccontextmanager
    async def connection(self) -> AsyncGenerator[Connection]:
        """Lend a connection at once or not at all.

        Raises:
            TooManyReadsError: none became free within WAIT_SECONDS_MAX.
            ReadTooLongError: a statement took longer than it may.
        """
        try:
            async with asyncio.timeout(WAIT_SECONDS_MAX):
                await self._places.acquire()
        except TimeoutError:
            raise TooManyReadsError from None
        try:
            async with super().connection() as connection:
                yield connection
        except asyncpg.QueryCanceledError as error:
            raise ReadTooLongError(self._read_seconds_max) from error
        finally:
            self._places.release()
