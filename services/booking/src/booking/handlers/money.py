"""Facts about money: appended, then the payments and bookings that they concern are derived anew (BK-7).

A batch is one derivation. Two sessions never derive the same payment at once: each locks the objects that its
facts are about and name, and every object linked with these.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager
from dataclasses import dataclass

from booking.adapters.bookings import try_lock_bookings
from booking.adapters.money_facts import (
    facts_of,
    insert_facts,
    objects_naming,
    try_lock_objects,
)
from booking.adapters.payment_anomalies import open_anomalies
from booking.adapters.payments import payments_of_bookings, payments_of_objects
from booking.domain.anomalies import OpenAnomaly, report_anomalies
from booking.domain.booking import Booking, Transition, parse_booking_id
from booking.domain.derivation import derive_payments
from booking.domain.facts import Fact
from booking.domain.payments import Payment, PaymentEvent, PaymentFailed, PaymentRecorded
from booking.domain.settlement import RecordedPayment, record, settle, sum_funds, withdraw
from booking.domain.statuses import STRIPE, Actor
from booking.handlers.persistence import CausedEvent, PaymentChanges, save
from chassis.messaging.failures import BusyError, data_constraints
from chassis.messaging.message import KeysInUseError, Message
from chassis.postgres import Connection
from contracts.ids import BookingId
from contracts.metadata import MessageMetadata

# Constraints on values of Stripe's events. A row that another constraint refuses is not the event's fault.
_MONEY_CONSTRAINTS = (
    "money_fact_amount_check",
    "money_fact_currency_check",
    "money_fact_refunded_check",
    "payment_captured_check",
    "payment_currency_check",
    "booking_captured_check",
)


def money_constraints() -> AbstractContextManager[None]:
    """Blame the facts for a violated constraint on money inside the block (`data_constraints`)."""
    return data_constraints(*_MONEY_CONSTRAINTS)


@dataclass(frozen=True, slots=True)
class IncomingFacts:
    """Facts that one message tells of; `message` is None for facts that a person entered."""

    facts: tuple[Fact, ...]
    message: Message | None = None


async def apply_facts(
    connection: Connection, incoming: Sequence[IncomingFacts], *, by: Actor = STRIPE
) -> None:
    """Apply facts inside the caller's transaction.

    Args:
        connection: in a transaction.
        incoming: facts by message; copies of known facts change nothing.
        by: the actor of a confirmation that the money brings about.

    Raises:
        KeysInUseError: another session has locked an object or booking that some of the facts concern.
        BusyError: the same, for facts without a message.
    """
    facts = [fact for item in incoming for fact in item.facts]
    if not facts:
        return
    telling = await insert_facts(connection, facts)
    if telling:
        await _derive(connection, {identifier for fact in telling for identifier in fact.ids}, incoming, by)


async def apply_waiting_facts(connection: Connection, booking_ids: Sequence[BookingId]) -> None:
    """Apply facts that came before the bookings which they name, inside the caller's transaction."""
    object_ids = await objects_naming(connection, booking_ids)
    if object_ids:
        await _derive(connection, object_ids, (), STRIPE)


async def _derive(
    connection: Connection, object_ids: set[str], incoming: Sequence[IncomingFacts], by: Actor
) -> None:
    facts = await _lock_and_read(connection, object_ids, incoming)
    payments = derive_payments(facts)
    providers = {fact.provider for fact in facts}
    all_ids = {identifier for fact in facts for identifier in fact.ids}
    earlier = await payments_of_objects(connection, providers, all_ids)
    opened = await open_anomalies(connection, providers, all_ids)
    bookings = await _lock_bookings(connection, payments, earlier, opened, incoming)
    earlier_by_id = _by_payment_id(earlier)
    derived = [
        recorded
        for payment in payments
        if (recorded := _record(payment, bookings, earlier_by_id)) is not None
    ]
    current = await payments_of_bookings(connection, bookings.keys()) if bookings else []
    await _settle(connection, _Change(bookings, earlier, derived, opened, current), incoming, by)


async def _lock_and_read(
    connection: Connection, object_ids: set[str], incoming: Sequence[IncomingFacts]
) -> list[Fact]:
    """Lock the objects and all objects linked with them. Return all facts about them."""
    locked: set[str] = set()
    facts: list[Fact] = []
    new = object_ids
    while new:
        taken = await try_lock_objects(connection, new)
        if taken:
            raise _busy(incoming, _linked(taken, facts), "object of a payment locked by another session")
        locked |= new
        facts = await facts_of(connection, locked)
        new = {identifier for fact in facts for identifier in fact.ids} - locked
    return facts


def _linked(object_ids: Collection[str], facts: Iterable[Fact]) -> set[str]:
    """Return the objects with all objects that facts link with them."""
    linked, rest = set(object_ids), [set(fact.ids) for fact in facts]
    while near := [ids for ids in rest if ids & linked]:
        linked.update(*near)
        rest = [ids for ids in rest if not ids & linked]
    return linked


def _busy(
    incoming: Sequence[IncomingFacts], object_ids: AbstractSet[str], reason: str
) -> KeysInUseError | BusyError:
    """Return the error for the messages with facts about these objects."""
    messages = [
        item.message
        for item in incoming
        if item.message is not None and any(not object_ids.isdisjoint(fact.ids) for fact in item.facts)
    ]
    return KeysInUseError(messages, reason) if messages else BusyError(reason)


async def _lock_bookings(
    connection: Connection,
    payments: Iterable[Payment],
    earlier: Iterable[RecordedPayment],
    opened: Iterable[OpenAnomaly],
    incoming: Sequence[IncomingFacts],
) -> dict[BookingId, Booking]:
    objects: dict[BookingId, set[str]] = defaultdict(set)
    for payment in payments:
        booking_id = parse_booking_id(payment.booking_reference or "")
        if booking_id is not None:
            objects[booking_id] |= payment.object_ids
    for item in earlier:
        if item.booking_id is not None:
            objects[item.booking_id].add(item.payment.payment_id)
    for anomaly in opened:
        if anomaly.booking_id is not None:
            objects[anomaly.booking_id].add(anomaly.key.payment_id)
    bookings, locked = await try_lock_bookings(connection, objects.keys())
    if locked:
        waiting = set[str]().union(*(objects[booking_id] for booking_id in locked))
        raise _busy(incoming, waiting, "row of booking locked by another session")
    return bookings


def _by_payment_id(recorded: Iterable[RecordedPayment]) -> dict[str, list[RecordedPayment]]:
    by_id: dict[str, list[RecordedPayment]] = defaultdict(list)
    for item in recorded:
        by_id[item.payment.payment_id].append(item)
    return by_id


def _record(
    payment: Payment,
    bookings: dict[BookingId, Booking],
    earlier: dict[str, list[RecordedPayment]],
) -> RecordedPayment | None:
    booking = bookings.get(BookingId(payment.booking_reference or ""))
    own = [item for object_id in payment.object_ids & earlier.keys() for item in earlier[object_id]]
    return record(payment, booking, own)


@dataclass(frozen=True, slots=True)
class _Change:
    """What a derivation starts from and what it found.

    Attributes:
        bookings: the locked bookings.
        earlier: payments recorded under the ids of the derivation's objects.
        derived: payments as they are now.
        opened: open anomalies of these payments.
        current: all payments recorded for the bookings.
    """

    bookings: dict[BookingId, Booking]
    earlier: Sequence[RecordedPayment]
    derived: Sequence[RecordedPayment]
    opened: Sequence[OpenAnomaly]
    current: Sequence[RecordedPayment]


async def _settle(
    connection: Connection, change: _Change, incoming: Sequence[IncomingFacts], by: Actor
) -> None:
    before = {item.key: item for item in change.earlier}
    after = {item.key: item for item in change.derived}
    void = [item for key, item in before.items() if key not in after]
    by_booking: dict[BookingId, list[tuple[RecordedPayment | None, RecordedPayment]]] = defaultdict(list)
    for key, item in after.items():
        was = before.get(key)
        if item.booking_id is not None:
            stays = was is not None and was.booking_id == item.booking_id
            by_booking[item.booking_id].append((was if stays else None, item))
        if was is not None and was.booking_id is not None and was.booking_id != item.booking_id:
            by_booking[was.booking_id].append((was, withdraw(was)))
    for item in void:
        if item.booking_id is not None:
            by_booking[item.booking_id].append((item, withdraw(item)))
    counting: dict[BookingId | None, list[RecordedPayment]] = defaultdict(list)
    for item in (*(item for item in change.current if item.key not in before), *after.values()):
        counting[item.booking_id].append(item)
    bookings, events = dict(change.bookings), list[PaymentEvent]()
    for booking_id, changes in by_booking.items():
        funds = sum_funds(counting[booking_id])
        bookings[booking_id], settled = settle(bookings[booking_id], changes, funds, by=by)
        events += settled
    bookings, reported = report_anomalies(bookings, after.values(), change.opened)
    causes = _Causes(incoming, change.derived)
    changed = [booking for booking in bookings.values() if booking != change.bookings[booking.id]]
    written = [item for key, item in after.items() if _differs(before.get(key), item)]
    await save(
        connection,
        changed,
        [CausedEvent(event, causes.of(event)) for event in (*events, *reported)],
        PaymentChanges(written, void),
    )


def _differs(before: RecordedPayment | None, after: RecordedPayment) -> bool:
    if before is None or (before.booking_id, before.exclusion) != (after.booking_id, after.exclusion):
        return True
    old, new = before.payment, after.payment
    return (old.state, old.money, old.booking_reference, old.event_id, old.reason) != (
        new.state,
        new.money,
        new.booking_reference,
        new.event_id,
        new.reason,
    )


class _Causes:
    """Message that caused an event: the last one that names an object of its payment."""

    def __init__(self, incoming: Sequence[IncomingFacts], derived: Sequence[RecordedPayment]) -> None:
        messages = {
            identifier: item.message.metadata
            for item in incoming
            if item.message is not None
            for fact in item.facts
            for identifier in fact.ids
        }
        self._by_payment: dict[str, MessageMetadata] = {}
        for recorded in derived:
            for identifier in recorded.payment.object_ids & messages.keys():
                self._by_payment[recorded.payment.payment_id] = messages[identifier]
        self._by_object = messages

    def of(self, event: PaymentEvent) -> MessageMetadata | None:
        payment_id = _payment_id(event)
        return self._by_payment.get(payment_id) or self._by_object.get(payment_id)


def _payment_id(event: PaymentEvent) -> str:
    match event:
        case Transition():
            return event.metadata["payment_id"]
        case PaymentRecorded() | PaymentFailed():
            return event.payment.payment_id
        case _:
            return event.payment_id
