"""What a state directory was left in, and how its processes are ended."""

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

_INFRASTRUCTURE = ("kafka", "postgres")
"""Ended last, so that services can finish what they have in hand."""


class Situation(Enum):
    """What stands in the ledger, compared with what is running."""

    CLEAN = auto()
    RUNNING = auto()
    LEFTOVERS = auto()


def classify(record: Record, is_alive: Callable[[Identity], bool]) -> Situation:
    """Running: its supervisor is there, or a detached start has lost none of its processes.

    Everything else that stands on record is what a crash has left, to be ended before a new start.
    """
    if record.supervisor and is_alive(record.supervisor):
        return Situation.RUNNING
    if record.detached and record.processes and all(map(is_alive, record.processes)):
        return Situation.RUNNING
    return Situation.LEFTOVERS if record.supervisor or record.processes else Situation.CLEAN


async def end_all(record: Record) -> None:
    """End exactly the processes on record: services first, then what they stand on."""
    infrastructure = [p for p in record.processes if p.name in _INFRASTRUCTURE]
    services = [p for p in record.processes if p.name not in _INFRASTRUCTURE]
    for tier in (services, infrastructure):
        await gather_to_end(*(identity.end(p, stop_seconds_max=processes.STOP_SECONDS_MAX) for p in tier))


class StateLockedError(StackError):
    """Another plumbline command is at work on this state directory: let it finish, or `plumbline down`."""


@contextmanager
def exclusive(lock: Path) -> Generator[None]:
    """Hold the state directory for the length of the block; the system lets go of it if we are killed.

    `StateLockedError` if another command holds it.
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
            f"another plumbline command is at work in {lock.parent}: let it finish, or run `plumbline down`"
        ) from error
