"""Sessions of PostgreSQL that are given up as soon as their server may no longer be the right one.

After a failover a session may lead to a server that takes no writes, or to none at all, and stay open. So a
session that reads and writes is opened on a server that takes writes only, remembers every error that says
otherwise, also one that was caught inside a savepoint, and ends after a while in any case.
"""

import time
from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg

if TYPE_CHECKING:  # asyncpg's class takes its parameter in type stubs only
    from asyncpg.connection import LoggedQuery

    _Connection: TypeAlias = asyncpg.Connection[asyncpg.Record]
else:
    _Connection = asyncpg.Connection

CONNECT_SECONDS_MAX = 5.0
SESSION_SECONDS_MAX = 600.0
"""A pooled session is closed at this age, so that every change of address, role or server setting arrives."""

_FATAL_CLASS = "08"
_FATAL_STATES = frozenset({"25006", "57P01", "57P02", "57P03", "57P04", "57P05"})


class ServerReadOnlyError(ConnectionError):
    """The server at this address takes no writes now, as during and after a failover."""


def ends_session(error: BaseException) -> bool:
    """Return whether a session that showed this error must not be used again.

    SQLSTATE class 08 (connection), 25006 (the server takes no writes), 57P01 to 57P05 (the server ends the
    session), a lost connection, and an answer that did not come in time.
    """
    if isinstance(error, asyncpg.PostgresError):
        state: Any = error.sqlstate
        return isinstance(state, str) and (state[:2] == _FATAL_CLASS or state in _FATAL_STATES)
    return isinstance(error, asyncpg.InternalClientError | OSError | TimeoutError)


class WatchedSession(_Connection):
    """A session that remembers whether one of its statements showed an error that ends it."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._opened_at = time.monotonic()
        self._has_failed = False
        self.add_query_logger(self._on_query)

    @property
    def session(self) -> "WatchedSession":
        """This session, also when it is asked of the pool's proxy."""
        return self

    @property
    def is_fit(self) -> bool:
        """Whether the session may be used, or used again."""
        age_seconds = time.monotonic() - self._opened_at
        return not self._has_failed and not self.is_closed() and age_seconds < SESSION_SECONDS_MAX

    def notice(self, error: BaseException) -> None:
        """Remember an error that was raised while this session was in use."""
        self._has_failed = self._has_failed or ends_session(error)

    def _on_query(self, query: "LoggedQuery") -> None:
        if query.exception is not None:
            self.notice(query.exception)


async def open_session(dsn: str, *, read_only: bool = False, **arguments: Any) -> WatchedSession:
    """Open a session.

    Args:
        dsn: where; of several hosts the first that fits is taken.
        read_only: whether a server that takes no writes, such as a hot standby, is good enough.
        arguments: further ones of `asyncpg.connect`.

    Raises:
        ServerReadOnlyError: all servers that answer take no writes.
    """
    arguments["connection_class"] = WatchedSession
    arguments["target_session_attrs"] = "any" if read_only else "read-write"
    arguments.setdefault("timeout", CONNECT_SECONDS_MAX)
    try:
        session: Any = await asyncpg.connect(dsn, **arguments)
    except asyncpg.TargetServerAttributeNotMatched:
        raise ServerReadOnlyError(
            "the server takes no writes: it is a standby, or default_transaction_read_only is on"
        ) from None
    return session


def session_of(lent: Any) -> WatchedSession:
    """Return the session behind what a pool lent: the proxy passes on what it does not know."""
    session: WatchedSession = lent.session
    return session
