"""Sessions that the calls of a test share: to open one costs twenty times what most statements do."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import asyncpg

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

# The server was restarted, a test ended the session, or the last call left a transaction.
_ENDED = (asyncpg.PostgresError, asyncpg.InterfaceError, ConnectionError)
# As new: no setting, role, lock or temporary table of an earlier call.
_RENEW = "DISCARD ALL"


class SharedSession:
    """The session of one database, in one event loop. Calls at the same time do not wait for each other."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._idle: Connection | None = None

    async def call(self, open_new: Callable[[], Awaitable[Connection]], method: str, *args: Any) -> Any:
        """Call a method of a session that is as a new one."""
        session, self._idle = self._idle, None
        if session is not None:
            try:
                await session.execute(_RENEW)
            except _ENDED:
                session.terminate()
                session = None
        session = session or await open_new()
        try:
            result = await getattr(session, method)(*args)
        except BaseException:
            session.terminate()
            raise
        if self._idle is None:
            self._idle = session
        else:
            await session.close()
        return result

    async def close(self) -> None:
        """End the session, whether the server answers or not."""
        if self._idle is not None:
            self._idle.terminate()
            await asyncio.sleep(0)  # the loop closes its transport


_shared: dict[str, SharedSession] = {}


@asynccontextmanager
async def sharing(*dsns: str) -> AsyncGenerator[None]:
    """Let all calls to these databases share sessions within the block."""
    _shared.update({dsn: SharedSession() for dsn in dsns})
    try:
        yield
    finally:
        for dsn in dsns:
            await _shared.pop(dsn).close()


def shared(dsn: str) -> SharedSession | None:
    """Return the shared session of a database, or None if each call opens its own."""
    session = _shared.get(dsn)
    return session if session and session.loop is asyncio.get_running_loop() else None
