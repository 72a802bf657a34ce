"""PostgreSQL sessions that notice a failover.

After a failover an open session may lead to a server that takes no writes, or to no server. So a session is
opened only on a server that takes writes, is not used again after an error that shows a failover (also one
caught inside a savepoint), and ends at a maximum age.
"""

import time
from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg

from chassis.postgres.array_types import register_array_types

if TYPE_CHECKING:  # asyncpg's class takes its parameter in type stubs only
    from asyncpg.connection import LoggedQuery

    _Connection: TypeAlias = asyncpg.Connection[asyncpg.Record]
else:
    _Connection = asyncpg.Connection

CONNECT_SECONDS_MAX = 5.0
SESSION_SECONDS_MAX = 600.0
"""Maximum age of a pooled session, so that changes of address, role or server settings take effect."""

_FATAL_CLASS = "08"
_FATAL_STATES = frozenset({"25006", "57P01", "57P02", "57P03", "57P04", "57P05"})


class ServerReadOnlyError(ConnectionError):
    """The server at this address takes no writes, as during and after a failover."""


def ends_session(error: BaseException) -> bool:
    """Return whether a session must not be used again after this error.

    SQLSTATE class 08 (connection), 25006 (the server takes no writes), 57P01 to 57P05 (the server ends the
    session), a lost connection, and an answer that did not come in time.
    """
    if isinstance(error, asyncpg.PostgresError):
        state: Any = error.sqlstate
        return isinstance(state, str) and (state[:2] == _FATAL_CLASS or state in _FATAL_STATES)
    return isinstance(error, asyncpg.InternalClientError | OSError | TimeoutError)


class WatchedSession(_Connection):
    """A session that remembers whether a statement raised an error that ends the session."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._opened_at = time.monotonic()
        self._has_failed = False
        self.add_query_logger(self._on_query)
        register_array_types(self.get_settings())

    @property
    def session(self) -> "WatchedSession":
        """This session, also when called through the pool's proxy."""
        return self

    @property
    def is_fit(self) -> bool:
        """Return whether the session may be used."""
        age_seconds = time.monotonic() - self._opened_at
        return not self._has_failed and not self.is_closed() and age_seconds < SESSION_SECONDS_MAX

    def get_reset_query(self) -> str:
        """Return no statement: it would be one round trip more of each use of a pooled session.

        Pooled sessions keep no state that it would remove: settings and advisory locks end with a
        transaction (`tests/unit/chassis/postgres/test_session_state.py`). A transaction that is still open is
        rolled back all the same.
        """
        return ""

    def notice(self, error: BaseException) -> None:
        """Record an error that was raised while this session was in use."""
        self._has_failed = self._has_failed or ends_session(error)

    def _on_query(self, query: "LoggedQuery") -> None:
        if query.exception is not None:
            self.notice(query.exception)


async def open_session(dsn: str, *, read_only: bool = False, **arguments: Any) -> WatchedSession:
    """Open a session.

    Args:
        dsn: of several hosts the first that fits is used.
        read_only: accept a server that takes no writes, such as a hot standby.
        arguments: further arguments of `asyncpg.connect`.

    Raises:
        ServerReadOnlyError: no server that answers takes writes.
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
    """Return the session behind a pooled connection. The proxy delegates unknown attributes to it."""
    session: WatchedSession = lent.session
    return session
