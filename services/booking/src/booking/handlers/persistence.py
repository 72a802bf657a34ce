"""Save what was decided: state, history, payments and outbox in one transaction (BK-4, BK-11)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from booking.adapters.bookings import update_bookings
from booking.adapters.payments import NewPayment, PaymentKey, insert_payments, key_of
from booking.adapters.transitions import append_transitions
from booking.domain.booking import Booking, Transition
from booking.domain.payments import Anomaly, PaymentAnomaly, PaymentEvent, PaymentRecorded
from booking.handlers.outgoing_events import outgoing_event
from chassis import clock
from chassis.messaging.outbox import OutgoingEvent, append, caused_by
from chassis.postgres import Connection
from contracts.ids import BookingId
from contracts.metadata import MessageMetadata


@dataclass(frozen=True, slots=True)
class CausedEvent:
    """An event and the message that caused it; `cause` is None for an event that a person caused."""

    event: PaymentEvent
    cause: MessageMetadata | None = None


@dataclass(frozen=True, slots=True)
class _RecordedAt:
    """Times at which the rows of this transaction were written, by the database's clock."""

    transitions: Mapping[tuple[BookingId, int], datetime]
    payments: Mapping[PaymentKey, datetime]

    def of(self, event: PaymentEvent) -> datetime:
        if isinstance(event, Transition):
            return self.transitions[event.booking_id, event.version]
        # A conflicting report writes no row.
        return self.payments.get(key_of(event.payment)) or clock.now()


async def save(
    connection: Connection, bookings: Sequence[Booking], caused_events: Sequence[CausedEvent]
) -> None:
    """Write events and the resulting state of bookings. The caller has locked these bookings."""
    events = [caused.event for caused in caused_events]
    await update_bookings(connection, bookings)
    recorded_at = _RecordedAt(
        await append_transitions(connection, [event for event in events if isinstance(event, Transition)]),
        await insert_payments(connection, _new_payments(events)),
    )
    await append(connection, [_outgoing(caused, recorded_at) for caused in caused_events])


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


def _outgoing(caused: CausedEvent, recorded_at: _RecordedAt) -> OutgoingEvent:
    outgoing = outgoing_event(caused.event, recorded_at.of(caused.event))
    return outgoing if caused.cause is None else caused_by(outgoing, caused.cause)
