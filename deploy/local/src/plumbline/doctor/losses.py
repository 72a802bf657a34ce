"""Check the EventLog for records that were deleted before a service read them."""

import asyncpg

from chassis.process.terminal import plain_reason, printable
from plumbline import databases
from plumbline.doctor.finding import Finding
from plumbline.doctor.target import Target
from plumbline.failure import StackError

REPORTED_DAYS = 7
"""Losses of this many days are reported. The EventLog keeps them for ever."""

_RANGES_MAX = 5

_LOST = """
SELECT metadata ->> 'consumer' AS consumer, metadata ->> 'topic' AS topic,
    metadata ->> 'partition' AS partition, metadata ->> 'first_offset' AS first_offset,
    metadata ->> 'last_offset' AS last_offset
FROM audit.event_log
WHERE event_type = 'messages.lost' AND recorded_at > now() - make_interval(days => $1)
ORDER BY recorded_at DESC LIMIT $2
"""


async def losses(target: Target) -> list[Finding]:
    """Return one finding with the records that retention deleted before a service read them."""
    subject = "messages lost to retention"
    try:
        connection = await databases.connect(target.strings["audit"])
    except StackError as error:
        return [Finding(subject, str(error))]
    try:
        rows = await connection.fetch(_LOST, REPORTED_DAYS, _RANGES_MAX)
    except asyncpg.PostgresError as error:
        problem = f"could not be checked: {plain_reason(error)}; run `python -m audit migrate`"
        return [Finding(subject, problem)]
    finally:
        await connection.close()
    if not rows:
        return [Finding(subject, note=f"none within {REPORTED_DAYS} days")]
    ranges = ", ".join("{} {}[{}] {} to {}".format(*row.values()) for row in rows)
    problem = (
        f"within {REPORTED_DAYS} days (service, topic[partition], offsets): {ranges};"
        " see deploy/runbooks/messages-lost.md"
    )
    return [Finding(subject, printable(problem))]
