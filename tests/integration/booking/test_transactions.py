"""Transactions: a failed COMMIT leaves nothing; a batch that meets a lock is repeated (BK-11)."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from booking.adapters import money_facts
from booking.adapters.bookings import find_booking
from booking.adapters.transitions import HistoryEntry, read_history
from booking.api.requests import NewBooking
from booking.domain.details import BookingRecord
from booking.domain.statuses import Actor, Status
from booking.handlers.changes import ChangedBooking, ChangeRequest, change_booking
from booking.handlers.creation import BookingRequest, create_booking
from booking.handlers.messages import apply
from booking.handlers.preconditions import Precondition, StaleVersionError
from chassis.messaging.message import KeysInUseError, Message, unpack_headers
from chassis.postgres import Connection, Database
from contracts.bookings import BookingStatusChanged
from contracts.metadata import read_metadata
from contracts.stripe_events import StripeWorld
from harness import Infra, TestDatabase, eventually, start_services
from integration.booking import booking_calls

ADA = Actor("ada", is_operator=True)

# A deferred constraint is checked after all other writes.
_FAIL = """
CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'at commit'; END $$;
CREATE CONSTRAINT TRIGGER fail AFTER INSERT OR UPDATE ON booking
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fail();
"""
_FAIL_NO_MORE = "DROP FUNCTION fail() CASCADE"
_LEFT = "SELECT (SELECT count(*) FROM outbox) + (SELECT count(*) FROM status_transition)"


@pytest.fixture(scope="module")
async def sql(infra: Infra) -> AsyncGenerator[TestDatabase]:
    async with start_services(infra) as stack:
        yield stack.database("booking")


@pytest.fixture
async def database(sql: TestDatabase) -> AsyncGenerator[Database]:
    database = Database(sql.dsn("booking"), application_name="test")
    await database.start()
    yield database
    await database.stop()


@asynccontextmanager
async def failing_at_commit(sql: TestDatabase) -> AsyncGenerator[None]:
    """Inside the block no write to a booking can be committed, and none leaves a trace."""
    before = await sql.fetchval(_LEFT)
    await sql.execute(_FAIL)
    try:
        with pytest.raises(asyncpg.RaiseError, match="at commit"):
            yield
    finally:
        await sql.execute(_FAIL_NO_MORE)
    assert await sql.fetchval(_LEFT) == before


def new_booking() -> BookingRequest:
    return BookingRequest(NewBooking.model_validate(booking_calls.request()).details("US"), ADA)


async def create(database: Database) -> BookingRecord:
    async with database.transaction() as connection:
        return await create_booking(connection, new_booking(), time_zone="America/Chicago")


async def test_booking_that_is_not_committed_is_not_announced(sql: TestDatabase, database: Database) -> None:
    async with failing_at_commit(sql):
        await create(database)


async def test_change_that_is_not_committed_is_not_announced(sql: TestDatabase, database: Database) -> None:
    made = await create(database)
    change = ChangeRequest(actor=ADA, precondition=None, status=Status.CONFIRMED, details={})
    async with failing_at_commit(sql):
        await change_booking(database, made.booking.id, change, time_zone="America/Chicago")
    after = await change_booking(database, made.booking.id, change, time_zone="America/Chicago")
    assert after is not None
    assert after.record.booking.version == 2


async def test_event_of_a_change_of_status_has_id_and_time_of_its_row(
    sql: TestDatabase, database: Database
) -> None:
    made = await create(database)
    reason = 'she said "recorded_at":"0001-01-01T00:00:00Z" \x1a'
    change = ChangeRequest(actor=ADA, precondition=None, status=Status.CONFIRMED, reason=reason, details={})
    changed = await change_booking(database, made.booking.id, change, time_zone="America/Chicago")
    assert changed is not None
    async with database.connection() as connection:
        assert changed.record == await find_booking(connection, made.booking.id)
        _, confirmed = await read_history(connection, made.booking.id)
    assert isinstance(confirmed, HistoryEntry)
    assert (confirmed.reason, confirmed.version, confirmed.booking_version) == (reason, 2, 2)
    event = await sql.fetchrow(
        "SELECT * FROM outbox WHERE key = $1 ORDER BY id DESC", made.booking.id.encode()
    )
    assert event is not None
    payload = BookingStatusChanged.model_validate_json(event["value"])
    assert (payload.reason, payload.recorded_at) == (reason, confirmed.recorded_at)
    metadata = read_metadata(unpack_headers(bytes(event["headers"])))
    assert (metadata.id, metadata.sequence) == (confirmed.event_id, 2)


async def test_change_of_status_that_is_overtaken_is_decided_anew(
    sql: TestDatabase, database: Database
) -> None:
    made = await create(database)

    async def change(precondition: Precondition | None) -> ChangedBooking | None:
        request = ChangeRequest(actor=ADA, precondition=precondition, status=Status.CONFIRMED, details={})
        return await change_booking(database, made.booking.id, request, time_zone="America/Chicago")

    async with sql.connect() as other, other.transaction():
        await other.execute("UPDATE booking SET version = version + 1 WHERE booking_id = $1", made.booking.id)
        first = asyncio.create_task(change(lambda record: record.booking.version == 1))
        second = asyncio.create_task(change(None))
        await eventually(lambda: waiting(sql), what="both wait for the row")
    with pytest.raises(StaleVersionError):
        await first
    changed = await second
    assert changed is not None
    assert (changed.record.booking.version, changed.record.booking.transitions) == (3, 2)
    statuses = "SELECT to_status FROM status_transition WHERE booking_id = $1 ORDER BY version"
    rows = await sql.fetch(statuses, made.booking.id)
    assert [row["to_status"] for row in rows] == ["pending", "confirmed"]


async def waiting(sql: TestDatabase) -> bool:
    blocked = (
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'test' AND wait_event_type = 'Lock'"
    )
    return await sql.fetchval(blocked) == 2


async def test_payment_that_another_transaction_is_writing_is_found_once_it_is_there(
    sql: TestDatabase, database: Database
) -> None:
    made = await create(database)

    async def pay(connection: Connection, event_id: str) -> None:
        record = booking_calls.payment_record(made.booking.id, payment_id="pi_1", event_id=event_id)
        message = Message(
            booking_calls.STRIPE, 0, 0, record.key or b"", record.value or b"", tuple(record.headers)
        )
        await apply(connection, [message], world=StripeWorld(is_live=False, account=None))

    async with database.transaction() as first:
        await pay(first, "first")
        with pytest.raises(KeysInUseError, match="object of a payment"):
            async with database.transaction() as second:
                await pay(second, "second")
    async with database.transaction() as third:
        await pay(third, "second")
    paid = await sql.fetch("SELECT captured FROM payment WHERE booking_id = $1", made.booking.id)
    assert [row["captured"] for row in paid] == [booking_calls.WORKED_TOTAL]


async def test_facts_are_compared_by_index_in_a_database_that_was_never_analyzed(infra: Infra) -> None:
    async with start_services(infra) as stack, stack.database("booking").connect() as connection:
        values = ["stripe", "evt_1", "charge", "ch_1", "succeeded", 1, 1, 100, "USD", 0, "pi_1", *[None] * 4]
        plan = await connection.fetch(f"EXPLAIN {money_facts._INSERT}", *([value] for value in values))
    text = "\n".join(row[0] for row in plan)
    assert "money_fact_pkey" in text
    assert "money_fact_object_pkey" in text
    assert "Seq Scan" not in text
