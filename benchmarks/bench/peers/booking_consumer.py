"""A booking service's consumer of payments on aiokafka and SQLAlchemy, as tutorials show it, and tuned.

`tutorial`: a session and a commit for each message, then its offset. `tuned`: what a careful user makes of
it: up to 500 messages in one session and one commit, bookings read by one SELECT, rows inserted in bulk,
offsets once a batch.

Both skip known events, lock the booking, and write booking, payment, history and outbox row in one commit.
Arguments: the form, the topic.
"""

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4  # noqa: TID251 - a peer's own ids

from aiokafka import AIOKafkaConsumer
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from bench.peers.booking_models import Booking, Outbox, Payment, ProcessedEvent, StatusHistory, dsn_of

READY = "consumer is ready"
EVENTS = "bookings.events.v1"
PAID = "payment_intent.succeeded"

_BATCH = 500

Event = dict[str, Any]
Sessions = async_sessionmaker[AsyncSession]


async def one_by_one(consumer: AIOKafkaConsumer, sessions: Sessions) -> None:
    async for message in consumer:
        async with sessions() as session, session.begin():
            await apply(session, json.loads(message.value))
        await consumer.commit()


async def apply(session: AsyncSession, event: Event) -> None:
    if event["type"] != PAID or await session.get(ProcessedEvent, event["id"]):
        return
    booking = await session.get(Booking, booking_of(event), with_for_update=True)
    if booking is not None:
        record_payment(session, booking, event)


async def in_batches(consumer: AIOKafkaConsumer, sessions: Sessions) -> None:
    while True:
        fetched = await consumer.getmany(timeout_ms=200, max_records=_BATCH)
        events = [json.loads(message.value) for messages in fetched.values() for message in messages]
        if events:
            async with sessions() as session, session.begin():
                await apply_all(session, [event for event in events if event["type"] == PAID])
            await consumer.commit()


async def apply_all(session: AsyncSession, events: Sequence[Event]) -> None:
    ids = [event["id"] for event in events]
    known = await session.scalars(select(ProcessedEvent.event_id).where(ProcessedEvent.event_id.in_(ids)))
    done = set(known)
    wanted = sorted({booking_of(event) for event in events})
    found = await session.scalars(
        select(Booking).where(Booking.id.in_(wanted)).order_by(Booking.id).with_for_update()
    )
    bookings = {booking.id: booking for booking in found}
    for event in events:
        booking = bookings.get(booking_of(event))
        if event["id"] not in done and booking is not None:
            done.add(event["id"])
            record_payment(session, booking, event)


def booking_of(event: Event) -> UUID:
    return UUID(event["data"]["object"]["metadata"]["booking_id"])


def record_payment(session: AsyncSession, booking: Booking, event: Event) -> None:
    """Add the payment to its booking, and confirm the booking if it is paid."""
    intent = event["data"]["object"]
    session.add(ProcessedEvent(event_id=event["id"]))
    session.add(
        Payment(
            booking_id=booking.id,
            provider_payment_id=intent["id"],
            amount=intent["amount_received"],
            currency=intent["currency"],
        )
    )
    booking.captured += intent["amount_received"]
    booking.payment_status = "paid" if booking.captured >= booking.total else "partially_paid"
    if booking.payment_status == "paid" and booking.status == "pending":
        change_status(session, booking, "confirmed", caused_by=event["id"])


def change_status(session: AsyncSession, booking: Booking, to_status: str, *, caused_by: str) -> None:
    from_status, now = booking.status, datetime.now(UTC)  # noqa: TID251 - a peer's own clock
    booking.status, booking.confirmed_at = to_status, now
    booking.version += 1
    session.add(
        StatusHistory(
            booking_id=booking.id,
            version=booking.version,
            from_status=from_status,
            to_status=to_status,
            changed_by="stripe",
        )
    )
    payload = {
        "booking_id": str(booking.id),
        "version": booking.version,
        "from_status": from_status,
        "to_status": to_status,
        "changed_by": "stripe",
        "recorded_at": now.isoformat(),
    }
    headers = {
        "ce_id": str(uuid4()),
        "ce_source": "booking",
        "ce_type": "booking.status-changed",
        "ce_subject": str(booking.id),
        "ce_causationid": caused_by,
    }
    body = json.dumps(payload).encode()
    session.add(Outbox(topic=EVENTS, key=str(booking.id), payload=body, headers=headers))


FORMS = {"tutorial": one_by_one, "tuned": in_batches}


async def main(form: str, topic: str) -> None:
    """Apply payments until the process is ended."""
    engine = create_async_engine(dsn_of(os.environ["BOOKING_POSTGRES_DSN"]))
    sessions = async_sessionmaker(engine, expire_on_commit=False)
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=os.environ["KAFKA_BOOTSTRAP"],
        group_id=f"booking-{topic}",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    sys.stdout.write(f"{READY}\n")
    sys.stdout.flush()
    await FORMS[form](consumer, sessions)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
