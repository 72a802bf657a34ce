"""Writing down what was decided: state, history, payments and outbox in one transaction (BK-4, BK-11)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from booking.adapters.bookings import update_bookings
from booking.adapters.payments import NewPayment, PaymentKey, insert_payments, key_of
from booking.adapters.transitions import append_transitions
from booking.domain.booking import Booking, Transition
from booking.domain.payments import Anomaly, PaymentAnomaly, PaymentEvent, PaymentRecorded
from booking.handlers.publishing import announcement
from chassis import clock
from chassis.messaging.outbox import OutgoingEvent, append, caused_by
from chassis.postgres import Connection
from contracts.ids import BookingId
from contracts.metadata import MessageMetadata


@dataclass(frozen=True, slots=True)
class Happening:
    """An event and the message that caused it; None where a person did."""

    event: PaymentEvent
    cause: MessageMetadata | None = None


@dataclass(frozen=True, slots=True)
class _RecordedAt:
    """When the rows of this transaction were written, by the database's clock."""

    transitions: Mapping[tuple[BookingId, int], datetime]
    payments: Mapping[PaymentKey, datetime]

    def of(self, event: PaymentEvent) -> datetime:
        if isinstance(event, Transition):
            return self.transitions[event.booking_id, event.version]
        # A conflicting report writes no row.
        return self.payments.get(key_of(event.payment)) or clock.now()


async def record(
    connection: Connection, bookings: Sequence[Booking], happenings: Sequence[Happening]
) -> None:
    """Write events and the state that they left bookings in. The caller has locked these bookings."""
    events = [happening.event for happening in happenings]
    await update_bookings(connection, bookings)
    recorded_at = _RecordedAt(
        await append_transitions(connection, [event for event in events if isinstance(event, Transition)]),
        await insert_payments(connection, _new_payments(events)),
    )
    await append(connection, [_outgoing(happening, recorded_at) for happening in happenings])


def _new_payments(events: Sequence[PaymentEvent]) -> list[NewPayment]:
    new: list[NewPayment] = []
    for event in events:
        match event:
            case PaymentRecorded(payment=payment, booking_id=booking_id):
                new.append(NewPayment(payment, booking_id, None))
            case PaymentAnomaly(kind=Anomaly() as kind, payment=payment, booking_id=booking_id) if (
                kind is not Anomaly.PAYMENT_CONFLICT
            ):
                new.append(NewPayment(payment, booking_id, kind))
            case _:
                pass
    return new


def _outgoing(happening: Happening, recorded_at: _RecordedAt) -> OutgoingEvent:
    outgoing = announcement(happening.event, recorded_at.of(happening.event))
    return outgoing if happening.cause is None else caused_by(outgoing, happening.cause)
