"""B1, B2 and B5: booking's transitions, one by one, as a backlog of payments, and as one batch."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import asyncpg

from bench.judging import Comparison, Sample
from bench.measuring import Meter, Usage
from bench.row import Experiment, Row, Side, Size
from bench.yardsticks import PGBENCH_CLIENTS, pgbench
from booking.domain.statuses import Actor, Status
from booking.handlers import messages
from booking.handlers.changes import ChangeRequest, change_booking
from chassis import clock
from chassis.messaging import outbox
from chassis.messaging.message import Message, pack_headers
from chassis.messaging.outbox import OutgoingEvent, shard_of
from chassis.postgres import Database
from contracts.bookings import BookingStatusChanged
from contracts.ids import BookingId
from contracts.stripe_events import StripeWorld
from harness import Record, Stack, eventually, start_services
from harness.embedded import EmbeddedInfra
from integration.booking.booking_calls import STRIPE, payment_record
from integration.reconciler.reconciler_bookings import PRICE, insert_bookings

OURS, FOUR_TRIPS, PGBENCH = "booking", "four round trips", "pgbench -N"
SURVIVES = "process dies: all; machine dies: all that was committed"

TRANSITIONS = {Size.FULL: 10_000, Size.QUICK: 1_000}
BACKLOG = {Size.FULL: 200_000, Size.QUICK: 20_000}
# One of them pays the booking in full, the others are copies under their own event ids.
EVENTS_OF_BOOKING = 10
BATCH = 1_000
DRAIN_SECONDS_MAX = 900.0
ANA = Actor("ana", is_operator=True)

_APPLIED = "SELECT count(*) FROM inbox"
_PAID = "SELECT count(*) FROM booking WHERE status = 'confirmed' AND payment_status = 'paid'"

_LOCK = "SELECT status, version, transitions FROM booking WHERE booking_id = $1 FOR UPDATE"
_UPDATE = """
UPDATE booking SET
    status = 'confirmed', version = version + 1, transitions = transitions + 1,
    confirmed_at = clock_timestamp(), updated_at = clock_timestamp()
WHERE booking_id = $1
"""
_HISTORY = """
INSERT INTO status_transition (
    booking_id, version, from_status, to_status, changed_by, metadata, is_reason_typed
)
VALUES ($1, $2, 'pending', 'confirmed', 'ana', '{}', false)
"""
_OUTBOX = "INSERT INTO outbox (shard, topic, key, value, headers) VALUES ($1, $2, $3, $4, $5)"


@asynccontextmanager
async def database_of(stack: Stack) -> AsyncGenerator[Database]:
    database = Database(stack.database("booking").dsn("booking"), application_name="bench")
    await database.start()
    try:
        yield database
    finally:
        await database.stop()


async def unpaid_bookings(stack: Stack, count: int) -> list[str]:
    """Insert pending bookings that cost 132.00 and are not paid. Return their ids."""
    ids = await insert_bookings(stack, count, status="pending", paid=False)
    await stack.database("booking").execute("UPDATE booking SET captured = 0, payment_status = 'unpaid'")
    return ids


async def transitions(side: str, round_: int, infra: EmbeddedInfra, size: Size) -> Sample:
    """One commit for each transition, with history and outbox row, on as many connections as pgbench has."""
    if side == PGBENCH:
        return await _pgbench_sample("transitions", round_, infra, size)
    count = TRANSITIONS[size]
    async with start_services(infra) as stack, database_of(stack) as database:
        ids = await unpaid_bookings(stack, count)
        meter = Meter({"postgres": infra.postgres.pid})
        if side == OURS:
            lanes = [_change(database, ids[lane::PGBENCH_CLIENTS]) for lane in range(PGBENCH_CLIENTS)]
        else:
            dsn = stack.database("booking").dsn("booking")
            lanes = [_four_trips(dsn, ids[lane::PGBENCH_CLIENTS]) for lane in range(PGBENCH_CLIENTS)]
        await asyncio.gather(*lanes)
        usage = meter.read()
        written = await stack.database("booking").fetchval(
            "SELECT count(*) FROM status_transition WHERE to_status = 'confirmed'"
        )
    violations = [] if written == count else [f"{written} of {count} transitions were written"]
    return _sample("transitions", side, round_, count / usage.seconds, usage, count, violations)


async def _change(database: Database, ids: Sequence[str]) -> None:
    request = ChangeRequest(actor=ANA, precondition=None, status=Status.CONFIRMED, details={})
    for booking_id in ids:
        await change_booking(database, BookingId(booking_id), request, time_zone="America/Chicago")


async def _four_trips(dsn: str, ids: Sequence[str]) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        for booking_id in ids:
            async with connection.transaction():
                row = await connection.fetchrow(_LOCK, booking_id)
                assert row is not None, "the booking was inserted"
                await connection.execute(_UPDATE, booking_id)
                await connection.execute(_HISTORY, booking_id, row["transitions"] + 1)
                record = outbox.to_record(_status_changed(booking_id, row["transitions"] + 1))
                await connection.execute(
                    _OUTBOX,
                    shard_of(record.key),
                    record.topic,
                    record.key,
                    record.value,
                    pack_headers(record.headers),
                )
    finally:
        await connection.close()


def _status_changed(booking_id: str, version: int) -> OutgoingEvent:
    payload = BookingStatusChanged(
        booking_id=booking_id,
        version=version,
        from_status="pending",
        to_status="confirmed",
        changed_by="ana",
        reason=None,
        metadata={},
        recorded_at=clock.now(),
    )
    return OutgoingEvent(payload=payload, key=booking_id, source="booking", subject=booking_id)


async def drain(side: str, round_: int, infra: EmbeddedInfra, size: Size) -> Sample:
    """A backlog of payments, from the first applied message to the last."""
    if side == PGBENCH:
        return await _pgbench_sample("drain", round_, infra, size)
    count = BACKLOG[size]
    async with start_services(infra) as stack:
        ids = await unpaid_bookings(stack, count // EVENTS_OF_BOOKING)
        await stack.topic(STRIPE).publish_all(backlog(ids))
        database = stack.database("booking")
        process = await stack.start("booking", arguments=("--only", "consumers"), ready=False)
        first = await eventually(lambda: database.fetchval(_APPLIED), seconds=60)
        assert first is not None
        meter = Meter({"consumer": process.pid, "postgres": infra.postgres.pid, "kafka": infra.kafka.pid})

        async def applied() -> bool:
            return await database.fetchval(_APPLIED) == count

        await eventually(applied, seconds=DRAIN_SECONDS_MAX)
        usage = meter.read()
        paid = await database.fetchval(_PAID)
    violations = [] if paid == len(ids) else [f"{paid} of {len(ids)} bookings are paid"]
    return _sample("drain", side, round_, (count - first) / usage.seconds, usage, count, violations)


def backlog(ids: Sequence[str]) -> list[Record]:
    return [
        payment_record(booking_id, amount=PRICE, payment_id=f"pi_{booking_id}")
        for _ in range(EVENTS_OF_BOOKING)
        for booking_id in ids
    ]


async def batch(side: str, round_: int, infra: EmbeddedInfra, size: Size) -> Sample:
    """A thousand payments that confirm as many bookings, applied in one transaction."""
    del size
    async with start_services(infra) as stack, database_of(stack) as database:
        ids = await unpaid_bookings(stack, BATCH)
        records = [payment_record(booking_id, amount=PRICE) for booking_id in ids]
        batch_messages = [
            Message(STRIPE, 0, offset, record.key or b"", record.value or b"", record.headers)
            for offset, record in enumerate(records)
        ]
        meter = Meter({"postgres": infra.postgres.pid})
        async with database.transaction() as connection:
            world = StripeWorld(is_live=False, account=None)
            await messages.apply(connection, batch_messages, world=world)
        usage = meter.read()
        paid = await stack.database("booking").fetchval(_PAID)
    violations = [] if paid == BATCH else [f"{paid} of {BATCH} bookings are paid"]
    cpu = {name: seconds / BATCH * 1e6 for name, seconds in usage.cpu_seconds.items()}
    return Sample("batch", side, round_, {"seconds": usage.seconds}, cpu, usage.others_share, violations)


async def _pgbench_sample(experiment: str, round_: int, infra: EmbeddedInfra, size: Size) -> Sample:
    meter = Meter({"postgres": infra.postgres.pid})
    rate = await pgbench(infra, size)
    return _sample(experiment, PGBENCH, round_, rate, meter.read(), 1, [])


def _sample(
    experiment: str,
    side: str,
    round_: int,
    rate: float,
    usage: Usage,
    count: int,
    violations: list[str],
) -> Sample:
    cpu = {name: seconds / count * 1e6 for name, seconds in usage.cpu_seconds.items()}
    return Sample(experiment, side, round_, {"per_second": rate}, cpu, usage.others_share, violations)


_PGBENCH_SIDE = Side(PGBENCH, f"PostgreSQL's own tool, {PGBENCH_CLIENTS} clients, one commit each", SURVIVES)

TRANSITION_ROW = Row(
    name="B1",
    title="one transition a commit, with history and outbox row",
    sides=(
        Side(OURS, f"`change_booking`, {PGBENCH_CLIENTS} connections of one process", SURVIVES),
        Side(FOUR_TRIPS, "hand-written asyncpg: lock, update, history, outbox, in a transaction", SURVIVES),
        _PGBENCH_SIDE,
    ),
    experiments=(Experiment("transitions", {"per_second": "transitions/s"}, transitions),),
    comparisons=(
        Comparison("transitions", "per_second", "rate, ÷ pgbench -N", OURS, PGBENCH, "≥ 1 (0.6)"),
        Comparison("transitions", "per_second", "rate, ÷ four round trips", OURS, FOUR_TRIPS, "≥ 2"),
    ),
    yardsticks=("pgbench -N",),
)

DRAIN_ROW = Row(
    name="B2",
    title="a backlog of payment events, ten for each booking",
    sides=(
        Side(OURS, "`booking serve --only consumers`, one process, as deployed", SURVIVES),
        _PGBENCH_SIDE,
    ),
    experiments=(Experiment("drain", {"per_second": "messages/s"}, drain),),
    comparisons=(Comparison("drain", "per_second", "rate, ÷ pgbench -N", OURS, PGBENCH, "≥ 4 (2)"),),
    yardsticks=("pgbench -N", "bare aiokafka producer"),
)

BATCH_ROW = Row(
    name="B5",
    title="a thousand transitions in one batch",
    sides=(Side(OURS, "`messages.apply`, one transaction", SURVIVES),),
    experiments=(Experiment("batch", {"seconds": "seconds"}, batch),),
    comparisons=(Comparison("batch", "seconds", "1,000 transitions, seconds", OURS, None, "≤ 1"),),
    yardsticks=("pgbench -N",),
)
