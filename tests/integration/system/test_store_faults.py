"""What the database does as a whole is blamed on no message: rights, login, schema, sequences, read-only."""

import asyncio
from collections.abc import AsyncGenerator, Sequence

import httpx
import pytest

from chassis import clock
from harness import Infra, Stack, eventually, start_services
from integration.audit.audit_records import created, webhook
from integration.booking.booking_calls import BookingApi, payment_record

FAULT_SECONDS = 4.0
"""More than the attempts of a message that is to blame take (`lone_attempts_max`)."""
SETTLED_SECONDS_MAX = 20.0
ENTRIES = 60
"""More than attempts are made while the fault lasts: each takes a number of the sequence."""

_REFUSE = """
CREATE OR REPLACE FUNCTION refuse_everything() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'no %', tg_table_name USING ERRCODE = '{state}'; END $$;
CREATE TRIGGER refuse_everything BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION refuse_everything()
"""
_UNREFUSE = "DROP FUNCTION refuse_everything() CASCADE"

Fault = tuple[Sequence[str], Sequence[str]]
"""Statements of a superuser that break something, and that mend it."""

_DROP_ROWS = """
CREATE OR REPLACE FUNCTION drop_rows() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER drop_rows BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION drop_rows()
"""


def _dropping(table: str) -> Fault:
    return [_DROP_ROWS.format(table=table)], ["DROP FUNCTION drop_rows() CASCADE"]


def _refusing(table: str, state: str) -> Fault:
    return [_REFUSE.format(table=table, state=state)], [_UNREFUSE]


BOOKING: dict[str, Fault] = {
    "no right": (["REVOKE INSERT ON payment FROM booking"], ["GRANT INSERT ON payment TO booking"]),
    "no table": (["ALTER TABLE payment RENAME TO away"], ["ALTER TABLE away RENAME TO payment"]),
    "a trigger": _refusing("outbox", "22023"),
    "a constraint": (
        ["ALTER TABLE payment ADD CONSTRAINT never CHECK (false) NOT VALID"],
        ["ALTER TABLE payment DROP CONSTRAINT never"],
    ),
    "rows hidden by a policy": (
        ["ALTER TABLE booking ENABLE ROW LEVEL SECURITY"],
        ["ALTER TABLE booking DISABLE ROW LEVEL SECURITY"],
    ),
    "rows of booking dropped": _dropping("booking"),
    "rows of inbox dropped": _dropping("inbox"),
}


@pytest.fixture(scope="module")
async def own(infra: Infra) -> AsyncGenerator[Stack]:
    async with start_services(infra, "booking", "audit") as stack:
        yield stack


async def _suffer(own: Stack, service: str, statements: Sequence[str]) -> None:
    for statement in statements:
        await own.database(service).execute(statement)


@pytest.mark.parametrize("fault", BOOKING)
async def test_payment_that_meets_a_fault_of_the_store_is_applied_once_it_is_mended(
    fault: str, own: Stack, http: httpx.AsyncClient
) -> None:
    api, (breaks, mends) = BookingApi(own, http), BOOKING[fault]
    booking = await api.create()

    async def set_aside() -> int:
        of_key = "SELECT count(*) FROM dead_letter WHERE key = $1"
        return await own.database("booking").fetchval(of_key, booking["id"].encode())

    await api.settled(clock.new_id())  # the consumer runs
    try:
        await _suffer(own, "booking", breaks)
        await api.publish(payment_record(booking["id"]))
        await asyncio.sleep(FAULT_SECONDS)
    finally:
        await _suffer(own, "booking", mends)
    assert await set_aside() == 0
    await eventually(lambda: api.when_paid(booking["id"]), seconds=SETTLED_SECONDS_MAX)
    await eventually(lambda: own.ready("booking"), seconds=SETTLED_SECONDS_MAX)
    assert await set_aside() == 0


async def test_event_that_met_a_sequence_that_was_behind_is_in_the_log_as_what_it_is(
    own: Stack, http: httpx.AsyncClient
) -> None:
    log, booking_id = own.database("audit"), clock.new_id()
    await own.topic("webhooks.stripe.v1").publish_all([webhook(b"{}") for _ in range(ENTRIES)])

    async def entries(where: str) -> int:
        return await log.fetchval(f"SELECT count(*) FROM event_log WHERE {where}")

    async def recorded() -> bool:
        # Booking sets each of them aside, which is recorded too.
        stripe = await entries("event_type LIKE 'stripe.%'")
        return stripe >= ENTRIES and await entries("event_type = 'dead-letter.set-aside'") >= ENTRIES

    await eventually(recorded, seconds=SETTLED_SECONDS_MAX)
    set_sequence = "SELECT setval(pg_get_serial_sequence('event_log', 'entry_id'), {})"
    # Attempts of earlier tests left ids free below: an entry there would stand behind those that are sealed.
    await log.execute(set_sequence.format(f"(SELECT max(entry_id) - {ENTRIES} FROM event_log)"))
    await own.topic("bookings.events.v1").publish_all([created(booking_id)])
    await asyncio.sleep(FAULT_SECONDS)
    # The sealer seals nothing while the next ids are some that it has left behind.
    taken = "SELECT max(entry_id) FROM event_log UNION SELECT sealed_through FROM log_head"
    await log.execute(set_sequence.format(f"(SELECT max(max) FROM ({taken}))"))

    async def known() -> bool:
        answer = await http.get(f"{own.url('audit')}/api/bookings/{booking_id}/history")
        return answer.status_code == 200 and len(answer.json()["history"]) == 1

    await eventually(known, seconds=SETTLED_SECONDS_MAX)
    assert await entries("event_type = 'message.unreadable'") == 0

    async def ready() -> bool:
        answer = await http.get(f"{own.url('audit')}/health/ready")
        assert answer.status_code == 200, answer.text
        return True

    await eventually(ready, seconds=SETTLED_SECONDS_MAX)


@pytest.mark.parametrize("table", ["event_log", "event_payload"])
async def test_event_whose_rows_were_dropped_is_recorded_whole_once_they_are_not(
    table: str, own: Stack
) -> None:
    log, booking_id = own.database("audit"), clock.new_id()
    breaks, mends = _dropping(table)
    try:
        await _suffer(own, "audit", breaks)
        await own.topic("bookings.events.v1").publish_all([created(booking_id)])
        await asyncio.sleep(FAULT_SECONDS)
    finally:
        await _suffer(own, "audit", mends)

    async def whole() -> bool:
        rows = "SELECT count(*) FROM event_log JOIN event_payload USING (entry_id) WHERE booking_id = $1"
        return await log.fetchval(rows, booking_id) == 1

    await eventually(whole, seconds=SETTLED_SECONDS_MAX)
