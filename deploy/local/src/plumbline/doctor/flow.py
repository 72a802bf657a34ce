"""Checks of what must not pile up: unsent outbox rows, and messages set aside."""

from collections.abc import Sequence

import asyncpg

from chassis.postgres import Session
from chassis.process.terminal import in_one_line
from chassis.relay.foreign_locks import ForeignLock, describe_foreign_locks, read_foreign_locks
from chassis.relay.status import read_backlog
from plumbline import databases
from plumbline.doctor.finding import Finding
from plumbline.doctor.target import Target
from plumbline.failure import StackError

OUTBOX_SECONDS_MAX = 60.0
"""Rows live for milliseconds, and for seconds while another replica takes a dead one's shards over."""

_WAITING = """
SELECT count(*) AS messages, count(DISTINCT (consumer, topic, key)) AS lines
FROM {service}.dead_letter WHERE status = 'waiting'
"""


async def flow(target: Target, service: str) -> list[Finding]:
    """One line each for outbox, its shards and dead letters of a service that publishes."""
    subjects = [f"outbox of {service}", f"shards of {service}", f"dead letters of {service}"]
    if service not in WITH_OUTBOX:
        return []
    try:
        connection = await databases.connect(target.strings[service])
    except StackError as error:
        return [Finding(subject, str(error)) for subject in subjects]
    try:
        age = await _oldest_unsent_seconds(connection)
        foreign_locks = await read_foreign_locks(connection)
        row = await connection.fetchrow(_WAITING.format(service=service))
    except asyncpg.PostgresError as error:
        problem = f"could not be checked: {in_one_line(error)}; run `python -m {service} migrate`"
        return [Finding(subject, problem) for subject in subjects]
    finally:
        await connection.close()
    waiting, lines = (row["messages"], row["lines"]) if row else (0, 0)
    return [
        Finding(subjects[0], _unsent(service, age)),
        Finding(subjects[1], _taken(foreign_locks)),
        Finding(subjects[2], _set_aside(service, waiting, lines)),
    ]


async def _oldest_unsent_seconds(connection: Session) -> float | None:
    """By the index, one row a shard: an outbox of millions of rows is not read to the end for its age."""
    async with connection.transaction(readonly=True):
        waiting = await read_backlog(connection, rows_max=1)
    return max((shard.oldest_seconds for shard in waiting if shard.oldest_seconds is not None), default=None)


WITH_OUTBOX = ("booking", "reconciler")
"""Audit sends nothing through an outbox, and records what it cannot read instead of setting it aside."""


def _unsent(service: str, age_seconds: float | None) -> str:
    if age_seconds is None or age_seconds <= OUTBOX_SECONDS_MAX:
        return ""
    return (
        f"its oldest row has waited for {age_seconds:.0f} s:"
        f" `python -m {service} outbox status`, then deploy/runbooks/outbox-growing.md"
    )


def _taken(locks: Sequence[ForeignLock]) -> str:
    if not locks:
        return ""
    return (
        f"no relay can own {len(locks)} of them, their events wait: {describe_foreign_locks(locks)};"
        " end these sessions (pg_terminate_backend), then `plumbline databases apply`"
    )


def _set_aside(service: str, messages: int, lines: int) -> str:
    if messages == 0:
        return ""
    return (
        f"{messages} messages wait in {lines} blocked lines:"
        f" `python -m {service} dead-letters list`, then deploy/runbooks/dead-letters.md"
    )
