"""Classify failures of consumed messages (design rule 6, decision 0032). Each kind has one answer."""

import re
from collections.abc import Generator
from contextlib import contextmanager
from enum import Enum, auto
from typing import Any

import asyncpg


class MalformedMessageError(ValueError):
    """The message cannot be decoded, now or later. It is set aside at once."""


class RefusedDataError(ValueError):
    """A constraint refused the data of the message (`data_constraints`)."""


class BusyError(TimeoutError):
    """Another session has locked a row or a key. The text names the kind of row, never a value."""


class LostWriteError(OSError):
    """The database reported success but wrote fewer rows than the statement has. The database is at fault."""


class FailureKind(Enum):
    """What may have caused a failure. A refusal by the domain is not a failure but an event.

    Attributes:
        MALFORMED: the message cannot be decoded. It is set aside.
        SUSPECT: the message or our code is at fault. The message is tried again, then set aside by an
            attempt of its own.
        STORE: the database as a whole fails. The consumer waits; no message is blamed.
        BUSY: another session has locked a row. Only the key of the message waits.
    """

    MALFORMED = auto()
    SUSPECT = auto()
    STORE = auto()
    BUSY = auto()

    @property
    def may_set_aside(self) -> bool:
        """Return True if an attempt that failed with this kind may set its message aside."""
        return self in (FailureKind.MALFORMED, FailureKind.SUSPECT)


# SQLSTATE classes that data can cause: 22 (data exception), 54 (program limit, as an index row too large).
_DATA_CLASSES = ("22", "54")
# String too long: none of our columns has a length limit, so somebody changed the table for all messages.
_NOT_OF_DATA = ("22001",)
_LOCK_NOT_AVAILABLE = "55P03"
# Our statements call no such function: the error comes from a trigger or constraint that somebody added.
_FUNCTION_CONTEXT = re.compile(r"^(PL/pgSQL|SQL) function ", re.MULTILINE)
_RELATION_CONTEXT = re.compile(r'in relation "([^"]+)"')


def classify(error: BaseException) -> FailureKind:
    """Return the kind of an error raised while a batch was applied.

    Three errors make a message a suspect: a data error that the server found in our own statement, a
    violation of a constraint that the handler names (`data_constraints`), and an error of our own code. All
    other errors of the database, its driver or the network are of kind STORE: connection, rights, schema,
    sequences.
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
    """Turn a violation of one of these constraints into a suspect failure of the message.

    A violation of any other constraint remains a failure of the database.

    Args:
        names: constraints whose columns take their values from the message.

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
    """Check that all expected rows were written.

    Raises:
        LostWriteError: fewer were written. A trigger that returns NULL or a rule `DO INSTEAD NOTHING` does
            that.
    """
    if written != expected:
        raise LostWriteError(
            f"{table}: {written} of {expected} rows were written; look for a trigger or rule that drops rows"
        )


def describe_lock(error: BaseException) -> str:
    """Return in words which lock a failure of kind BUSY met."""
    if isinstance(error, BusyError):
        return str(error)
    relation = _RELATION_CONTEXT.search(_context(error)) if isinstance(error, asyncpg.PostgresError) else None
    return f"row of {relation[1]} locked by another session" if relation else "locked by another session"
