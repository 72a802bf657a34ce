"""The kinds of failure of a consumed message (design rule 6, decision 0032). Each has one answer."""

import re
from collections.abc import Generator
from contextlib import contextmanager
from enum import Enum, auto
from typing import Any

import asyncpg


class MalformedMessageError(ValueError):
    """The message cannot be decoded, now or later: set it aside at once."""


class RefusedDataError(ValueError):
    """A constraint refused what the message says (`data_constraints`)."""


class BusyError(TimeoutError):
    """Another session has locked a row or a key. Its text says which kind of row, and no value."""


class LostWriteError(OSError):
    """The database reported success and wrote fewer rows than the statement has: the store's fault."""


class FailureKind(Enum):
    """Whose fault a failure may be. A refusal by the domain is no failure but an event."""

    MALFORMED = auto()
    """The message's: it cannot be decoded. Set aside."""
    SUSPECT = auto()
    """The message's or our code's: tried again, then set aside by an attempt of its own."""
    STORE = auto()
    """The database's, as a whole: waited for, never counted against a message."""
    BUSY = auto()
    """Of another session, which has locked a row: this key waits, no other."""

    @property
    def may_set_aside(self) -> bool:
        """Whether an attempt that failed like this may set its message aside."""
        return self in (FailureKind.MALFORMED, FailureKind.SUSPECT)


# What a message's data can cause: 22 (data exception) and 54 (program limit, as an index row too large).
_DATA_CLASSES = ("22", "54")
# No column of ours has a length: whoever changed the table did it for every message.
_NOT_OF_DATA = ("22001",)
_LOCK_NOT_AVAILABLE = "55P03"
# Our statements call no such function: the error is one of a trigger or constraint that somebody added.
_FUNCTION_CONTEXT = re.compile(r"^(PL/pgSQL|SQL) function ", re.MULTILINE)
_RELATION_CONTEXT = re.compile(r'in relation "([^"]+)"')


def classify(error: BaseException) -> FailureKind:
    """Return the kind of an error raised while a batch was applied.

    Only a data error that the server found in our own statement, a constraint that the handler names
    (`data_constraints`) and an error of our own code make a message a suspect. Everything else that the
    database, its driver or the network says is the store's: connecting, rights, schema, sequences, locks.
    """
    match error:
        case MalformedMessageError():
            return FailureKind.MALFORMED
        case BusyError() | asyncpg.LockNotAvailableError():
            return FailureKind.BUSY
        case asyncpg.PostgresError():
            return FailureKind.SUSPECT if _is_of_data(error) else FailureKind.STORE
        case asyncpg.InterfaceError() | asyncpg.InternalClientError() | OSError() | MemoryError():
            return FailureKind.STORE
        case _:
            return FailureKind.SUSPECT


def _is_of_data(error: asyncpg.PostgresError) -> bool:
    state: Any = error.sqlstate
    if not isinstance(state, str) or state[:2] not in _DATA_CLASSES or state in _NOT_OF_DATA:
        return False
    return _FUNCTION_CONTEXT.search(_context(error)) is None


def _context(error: asyncpg.PostgresError) -> str:
    context: Any = getattr(error, "context", None)
    return context if isinstance(context, str) else ""


@contextmanager
def data_constraints(*names: str) -> Generator[None]:
    """Take violations of these constraints for the message's own fault; of any other they are the store's.

    Args:
        names: of constraints whose columns take their values from the message.

    Raises:
        RefusedDataError: one of these constraints was violated inside the block.
    """
    try:
        yield
    except asyncpg.IntegrityConstraintViolationError as error:
        if error.constraint_name in names:
            raise RefusedDataError(f"{error.constraint_name} refuses the data") from error
        raise


def require_written(table: str, written: int, expected: int) -> None:
    """Check that every row was written.

    Raises:
        LostWriteError: some were not, as a trigger that returns NULL or a rule `DO INSTEAD NOTHING` makes it.
    """
    if written != expected:
        raise LostWriteError(
            f"{table}: {written} of {expected} rows were written; look for a trigger or rule that drops rows"
        )


def busy_with(error: BaseException) -> str:
    """Say in words what a failure of kind BUSY waits for."""
    if isinstance(error, BusyError):
        return str(error)
    relation = _RELATION_CONTEXT.search(_context(error)) if isinstance(error, asyncpg.PostgresError) else None
    return f"row of {relation[1]} locked by another session" if relation else "locked by another session"
