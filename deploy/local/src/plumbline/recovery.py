"""Condition of a state directory before a start, and the end of leftover processes."""

import fcntl
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from enum import Enum, auto
from pathlib import Path

from plumbline import atomic, identity, processes
from plumbline.failure import StackError
from plumbline.identity import Identity
from plumbline.ledger import Record
from plumbline.waiting import gather_to_end

# Ended last, so that services can finish work in flight.
_INFRASTRUCTURE = ("kafka", "postgres")


class Situation(Enum):
    """Result of comparing the ledger with the running processes."""

    CLEAN = auto()
    RUNNING = auto()
    LEFTOVERS = auto()


def classify(record: Record, is_alive: Callable[[Identity], bool]) -> Situation:
    """Return RUNNING if the supervisor is alive or a detached start has all its processes.

    Other processes in the ledger are LEFTOVERS of a crash, which must be ended before a new start.
    """
    if record.supervisor and is_alive(record.supervisor):
        return Situation.RUNNING
    if record.detached and record.processes and all(map(is_alive, record.processes)):
        return Situation.RUNNING
    return Situation.LEFTOVERS if record.supervisor or record.processes else Situation.CLEAN


async def end_all(record: Record) -> None:
    """End exactly the processes of `record`: services first, then Kafka and PostgreSQL."""
    infrastructure = [p for p in record.processes if p.name in _INFRASTRUCTURE]
    services = [p for p in record.processes if p.name not in _INFRASTRUCTURE]
    for tier in (services, infrastructure):
        await gather_to_end(*(identity.end(p, stop_seconds_max=processes.STOP_SECONDS_MAX) for p in tier))


class StateLockedError(StackError):
    """Another plumbline command holds the lock of the state directory."""


@contextmanager
def exclusive(lock: Path) -> Generator[None]:
    """Lock the state directory for the block. The system releases the lock if the process is killed.

    Raises:
        StateLockedError: another command holds the lock.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, atomic.PRIVATE)
    try:
        _lock(descriptor, lock)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, lock: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise StateLockedError(
            f"another plumbline command is using {lock.parent}: wait for its end, or run `plumbline down`"
        ) from error
