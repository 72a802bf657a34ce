"""Tables of facts about money: append, lock, and find the facts that belong together."""

from collections.abc import Collection, Sequence

import asyncpg

from booking.domain.copies import can_be_copied
from booking.domain.facts import Fact, Kind, Links, State
from chassis.messaging.failures import require_written
from chassis.postgres import Connection
from chassis.postgres.advisory_locks import EXTERNAL_OBJECTS
from contracts.ids import BookingId, booking_id_of
from contracts.money import Money

TABLE = "money_fact"

_COLUMNS = """
provider, event_id, kind, object_id, state, occurred_at, object_created_at, amount, currency, refunded,
intents, charge, invoice, booking_id, reason
"""

# A fact that is there already is dropped: the same event says the same about the same object. `is_known`: an
# earlier fact of another event says the same. The statement does not see its own rows, so that facts of one
# batch do not know each other. Columns are compared with IS NOT DISTINCT FROM, which uses no index: the
# planner could only take the one that begins with the provider, and would read all of it. OFFSET 0: before
# the first ANALYZE the planner takes both tables for small ones, and would read all of one for each fact.
_INSERT = f"""
WITH inserted AS (
    INSERT INTO money_fact ({_COLUMNS})
    SELECT
        provider, event_id, kind, object_id, state, occurred_at, object_created_at, amount, currency,
        refunded, string_to_array(intents, ' '), charge, invoice, booking_id, reason
    FROM unnest(
        $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::bigint[],
        $9::text[], $10::bigint[], $11::text[], $12::text[], $13::text[], $14::uuid[], $15::text[]
    ) AS fact ({_COLUMNS})
    ON CONFLICT DO NOTHING
    RETURNING *
), linked AS (
    INSERT INTO money_fact_object (object_id, fact_id)
    SELECT DISTINCT link.object_id, inserted.fact_id
    FROM inserted
    CROSS JOIN unnest(inserted.intents || ARRAY[inserted.object_id, inserted.charge, inserted.invoice])
        AS link (object_id)
    WHERE link.object_id IS NOT NULL
    RETURNING fact_id
)
SELECT
    inserted.fact_id, inserted.provider, inserted.event_id, inserted.kind, inserted.object_id,
    known.fact_id IS NOT NULL AS is_known, (SELECT count(*) FROM linked) AS linked
FROM inserted
LEFT JOIN LATERAL (
    SELECT earlier.fact_id
    FROM (SELECT fact_id FROM money_fact_object WHERE object_id = inserted.object_id OFFSET 0) AS link
    CROSS JOIN LATERAL (SELECT * FROM money_fact WHERE money_fact.fact_id = link.fact_id OFFSET 0) AS earlier
    WHERE earlier.occurred_at <= inserted.occurred_at
        AND (
            earlier.provider, earlier.kind, earlier.object_id, earlier.state, earlier.object_created_at,
            earlier.amount, earlier.currency, earlier.refunded, earlier.intents, earlier.charge,
            earlier.invoice, earlier.booking_id, earlier.reason
        ) IS NOT DISTINCT FROM (
            inserted.provider, inserted.kind, inserted.object_id, inserted.state, inserted.object_created_at,
            inserted.amount, inserted.currency, inserted.refunded, inserted.intents, inserted.charge,
            inserted.invoice, inserted.booking_id, inserted.reason
        )
    LIMIT 1
) AS known ON true
"""  # noqa: S608 - constants

_INSERT_REFERENCES = """
INSERT INTO money_fact_reference (fact_id, booking_reference) SELECT * FROM unnest($1::bigint[], $2::text[])
"""

_UNKNOWN_OBJECTS = """
SELECT object_id FROM unnest($1::text[]) AS object (object_id)
WHERE NOT EXISTS (SELECT FROM money_object WHERE money_object.object_id = object.object_id)
"""

# A row that is not there cannot be locked. Without this lock the INSERT would wait for the other session.
_LOCK_UNKNOWN = """
SELECT object_id FROM unnest($2::text[]) AS object (object_id)
WHERE pg_try_advisory_xact_lock($1, hashtext(object_id))
"""

_KNOW_OBJECTS = """
INSERT INTO money_object (object_id) SELECT * FROM unnest($1::text[]) ON CONFLICT DO NOTHING
"""

_LOCK_OBJECTS = """
SELECT object_id FROM money_object WHERE object_id = ANY($1::text[]) ORDER BY object_id FOR UPDATE SKIP LOCKED
"""

_SELECT = """
SELECT
    fact.fact_id, provider, event_id, kind, object_id, state, occurred_at, object_created_at, amount,
    currency, refunded, intents, charge, invoice, booking_id, reason, reference.booking_reference
FROM money_fact AS fact LEFT JOIN money_fact_reference AS reference USING (fact_id)
"""

_OF_OBJECTS = f"""
{_SELECT}
WHERE fact.fact_id IN (SELECT fact_id FROM money_fact_object WHERE object_id = ANY($1::text[]))
"""  # noqa: S608 - constants

_OBJECTS_OF_BOOKINGS = """
SELECT object_id FROM money_fact WHERE booking_id = ANY($1::uuid[])
"""

FactKey = tuple[str, str, str, str]


async def insert_facts(connection: Connection, facts: Collection[Fact]) -> list[Fact]:
    """Append facts; copies of known ones are dropped.

    Returns:
        The appended facts that may change a payment: without those that only repeat what is known.
    """
    distinct = {_key(fact): fact for fact in facts}
    new = list(distinct.values())
    rows = await connection.fetch(
        _INSERT,
        [fact.provider for fact in new],
        [fact.event_id for fact in new],
        [fact.kind.value for fact in new],
        [fact.object_id for fact in new],
        [fact.state.value for fact in new],
        [fact.occurred_at for fact in new],
        [fact.object_created_at for fact in new],
        [None if fact.amount is None else fact.amount.amount for fact in new],
        [None if fact.amount is None else fact.amount.currency for fact in new],
        [fact.refunded for fact in new],
        # An id has no space: `contracts.ids` stores any other text as a digest.
        [" ".join(fact.links.intents) for fact in new],
        [fact.links.charge for fact in new],
        [fact.links.invoice for fact in new],
        [booking_id_of(fact.booking_reference or "") for fact in new],
        [fact.reason for fact in new],
    )
    inserted = [
        (row, distinct[row["provider"], row["event_id"], row["kind"], row["object_id"]]) for row in rows
    ]
    if rows:
        links = sum(len(set(fact.ids)) for _, fact in inserted)
        require_written("money_fact_object", rows[0]["linked"], links)
    references = [
        (row["fact_id"], fact.booking_reference)
        for row, fact in inserted
        if fact.booking_reference is not None and booking_id_of(fact.booking_reference) is None
    ]
    if references:
        await connection.execute(_INSERT_REFERENCES, *zip(*references, strict=True))
    return [fact for row, fact in inserted if not (row["is_known"] and can_be_copied(fact))]


def _key(fact: Fact) -> FactKey:
    return fact.provider, fact.event_id, fact.kind.value, fact.object_id


async def try_lock_objects(connection: Connection, object_ids: Collection[str]) -> set[str]:
    """Lock objects without waiting, known ones or not. Return the ids that are locked by other sessions."""
    unknown = [row["object_id"] for row in await connection.fetch(_UNKNOWN_OBJECTS, list(object_ids))]
    if unknown:
        locked = await connection.fetch(_LOCK_UNKNOWN, EXTERNAL_OBJECTS, unknown)
        if len(locked) < len(unknown):
            return set(unknown) - {row["object_id"] for row in locked}
        await connection.execute(_KNOW_OBJECTS, unknown)
    rows = await connection.fetch(_LOCK_OBJECTS, list(object_ids))
    return set(object_ids) - {row["object_id"] for row in rows}


async def facts_of(connection: Connection, object_ids: Collection[str]) -> list[Fact]:
    """Return the facts that are about one of these objects or name one of them."""
    return [_fact(row) for row in await connection.fetch(_OF_OBJECTS, list(object_ids))]


async def objects_naming(connection: Connection, booking_ids: Sequence[BookingId]) -> set[str]:
    """Return the objects that name one of these bookings."""
    return {row["object_id"] for row in await connection.fetch(_OBJECTS_OF_BOOKINGS, booking_ids)}


def _fact(row: asyncpg.Record) -> Fact:
    booking_id = row["booking_id"]
    return Fact(
        provider=row["provider"],
        event_id=row["event_id"],
        occurred_at=row["occurred_at"],
        kind=Kind(row["kind"]),
        object_id=row["object_id"],
        object_created_at=row["object_created_at"],
        state=State(row["state"]),
        amount=None if row["amount"] is None else Money(row["amount"], row["currency"]),
        refunded=row["refunded"],
        links=Links(intents=tuple(row["intents"]), charge=row["charge"], invoice=row["invoice"]),
        booking_reference=row["booking_reference"] if booking_id is None else str(booking_id),
        reason=row["reason"],
        position=row["fact_id"],
    )
