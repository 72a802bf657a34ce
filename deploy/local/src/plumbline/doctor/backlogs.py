"""Check the backlogs of a service: unsent outbox rows, shards without an owner, waiting dead letters."""

from collections.abc import Sequence

import asyncpg

from chassis.dead_letters.limits import KEYS_MAX, ROWS_PER_KEY_MAX
from chassis.postgres import Session
from chassis.process.terminal import plain_reason
from chassis.relay.foreign_locks import ForeignLock, describe_foreign_locks, read_foreign_locks
from chassis.relay.status import read_backlog
from plumbline import databases
from plumbline.doctor.finding import Finding
from plumbline.doctor.target import Target
from plumbline.failure import StackError

OUTBOX_SECONDS_MAX = 60.0
"""Normal are milliseconds, or seconds while another replica takes over the shards of a dead one."""

_WAITING = """
SELECT coalesce(sum(rows), 0)::bigint AS messages, count(*) AS keys, coalesce(max(rows), 0) AS most
FROM (
    SELECT count(*) AS rows FROM {service}.dead_letter WHERE status = 'waiting' GROUP BY consumer, topic, key
) AS ordering_key
"""


async def backlogs(target: Target, service: str) -> list[Finding]:
    """Check outbox, shards and dead letters of a service. Return nothing for a service without an outbox."""
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
        problem = f"could not be checked: {plain_reason(error)}; run `python -m {service} migrate`"
        return [Finding(subject, problem) for subject in subjects]
    finally:
        await connection.close()
    waiting, keys, most = (row["messages"], row["keys"], row["most"]) if row else (0, 0, 0)
    return [
        Finding(subjects[0], _outbox_problem(service, age)),
        Finding(subjects[1], _shards_problem(foreign_locks)),
        Finding(subjects[2], _dead_letters_problem(service, waiting, keys, most)),
    ]


async def _oldest_unsent_seconds(connection: Session) -> float | None:
    # One row a shard, by the index: a count of all rows would be slow for an outbox of millions of rows.
    async with connection.transaction(readonly=True):
        shards = await read_backlog(connection, rows_max=1)
    return max((shard.oldest_seconds for shard in shards if shard.oldest_seconds is not None), default=None)


WITH_OUTBOX = ("booking", "reconciler")
"""Services with outbox and dead letters. Audit has neither: it records unreadable messages in its log."""


def _outbox_problem(service: str, age_seconds: float | None) -> str:
    if age_seconds is None or age_seconds <= OUTBOX_SECONDS_MAX:
        return ""
    return (
        f"the oldest row has waited for {age_seconds:.0f} s:"
        f" run `python -m {service} outbox status`, then follow deploy/runbooks/outbox-growing.md"
    )


def _shards_problem(locks: Sequence[ForeignLock]) -> str:
    if not locks:
        return ""
    return (
        f"no relay can own {len(locks)} shards, their events wait: {describe_foreign_locks(locks)};"
        " end these sessions (pg_terminate_backend), then `plumbline databases apply`"
    )


def _dead_letters_problem(service: str, messages: int, keys: int, most_of_a_key: int) -> str:
    if messages == 0:
        return ""
    if keys >= KEYS_MAX or most_of_a_key >= ROWS_PER_KEY_MAX:
        return (
            f"full: {messages} messages wait behind {keys} blocked ordering keys, {most_of_a_key} behind one;"
            " partitions are paused: follow deploy/runbooks/blocked-keys.md"
        )
    return (
        f"{messages} messages wait behind {keys} blocked ordering keys:"
        f" run `python -m {service} dead-letters list`, then follow deploy/runbooks/dead-letters.md"
    )
