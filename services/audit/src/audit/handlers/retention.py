"""Drop payloads that are too old, and append an entry that says so, in one transaction (AU-10)."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from audit.adapters import event_log, payload_erasure, payload_retention
from audit.adapters.payload_retention import MonthOfPayloads, MonthsState
from audit.domain.erasure import retention_entry
from chassis import clock
from chassis.postgres import Connection, Database

MONTHS_AHEAD = 3


@dataclass(frozen=True, slots=True)
class Expiring:
    """What a retention drops.

    Attributes:
        retained_from: payloads are kept since then.
        months: dropped as tables.
        payloads: of all of them, also outside the months.
        renderings: further bodies of entries before `retained_from`.
    """

    retained_from: datetime
    months: list[MonthOfPayloads]
    payloads: int
    renderings: int


async def plan_retention(connection: Connection, first_kept: date) -> Expiring:
    """Return what a retention would drop."""
    retained_from = datetime.combine(first_kept, time(), UTC)
    payloads, renderings = await payload_retention.count_outside(connection, retained_from)
    months = await payload_retention.months_before(connection, first_kept)
    return Expiring(retained_from, months, payloads, renderings)


async def apply_retention(connection: Connection, first_kept: date, *, actor: str) -> Expiring | None:
    """Drop what is older, and append the entry. Return what was dropped; None if nothing was there."""
    async with connection.transaction():
        plan = await plan_retention(connection, first_kept)
        if not plan.months and not plan.payloads and not plan.renderings:
            return None
        await payload_retention.drop_months(connection, first_kept)
        outside, renderings = await payload_retention.delete_outside(connection, plan.retained_from)
        await payload_erasure.remember_rewrite(
            connection,
            [*(["event_payload_other"] if outside else []), *(["event_rendering"] if renderings else [])],
        )
        counts = {"months": len(plan.months), "payloads": plan.payloads, "renderings": renderings}
        entry = retention_entry(clock.new_id(), actor=actor, retained_from=plan.retained_from, counts=counts)
        await event_log.append(connection, [entry])
    return plan


async def add_months(database: Database) -> MonthsState:
    """Create partitions for the next months, and return the state of the months."""
    async with database.connection() as connection:
        await payload_retention.add_months(connection, MONTHS_AHEAD)
        return await payload_retention.months_state(connection)
