"""Save what was decided: state, history, payments and outbox in one transaction (BK-4, BK-11)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from booking.adapters.bookings import update_bookings
from booking.adapters.payment_anomalies import AnomalyRow, row_of, write_anomalies
from booking.adapters.payments import PaymentKey, write_payments
from booking.adapters.transitions import RecordedTransition, append_transitions
from booking.domain.booking import Booking, Transition
from booking.domain.changes import DetailsChanged, Repriced
from booking.domain.payments import (
    PaymentAnomaly,
    PaymentAnomalyResolved,
    PaymentFailed,
    PaymentRecorded,
)
from booking.domain.settlement import RecordedPayment
from booking.handlers.outgoing_events import BookingEvent, outgoing_event
from chassis import clock
from chassis.messaging.outbox import OutgoingEvent, append, caused_by
from chassis.postgres import Connection
from contracts.ids import BookingId
from contracts.metadata import MessageMetadata


@dataclass(frozen=True, slots=True)
class CausedEvent:
    """An event and the message that caused it; `cause` is None for an event that a person caused."""

    event: BookingEvent
    cause: MessageMetadata | None = None


@dataclass(frozen=True, slots=True)
class PaymentChanges:
    """Rows of payments to write, and rows to make void because their objects belong to other payments."""

    written: Sequence[RecordedPayment] = ()
    void: Sequence[RecordedPayment] = ()


@dataclass(frozen=True, slots=True)
class _RecordedAt:
    """Times at which the rows of this transaction were written, by the database's clock.

    `now` is for events without a row of their own.
    """

    transitions: Mapping[tuple[BookingId, int], RecordedTransition]
    payments: Mapping[PaymentKey, datetime]
    anomalies: Mapping[AnomalyRow, datetime]
    now: datetime

    def of(self, event: BookingEvent) -> datetime:
        match event:
            case DetailsChanged() | Repriced():
                return self.now
            case Transition():
                return self.transitions[event.booking_id, event.version].recorded_at
            case PaymentAnomaly() | PaymentAnomalyResolved():
                return self.anomalies[row_of(event)]
            case PaymentRecorded(payment=payment) | PaymentFailed(payment=payment):
                return self.payments[payment.provider, payment.payment_id]

    def event_id_of(self, event: BookingEvent) -> str | None:
        """Return the id that a transition's row names; None for another event."""
        if isinstance(event, Transition):
            return self.transitions[event.booking_id, event.version].event_id
        return None


async def save(
    connection: Connection,
    bookings: Sequence[Booking],
    caused_events: Sequence[CausedEvent],
    payments: PaymentChanges = PaymentChanges(),
) -> None:
    """Write events and the resulting state of bookings. The caller has locked these bookings."""
    events = [caused.event for caused in caused_events]
    await update_bookings(connection, bookings)
    recorded_at = _RecordedAt(
        await append_transitions(connection, [event for event in events if isinstance(event, Transition)]),
        await write_payments(connection, payments.written, payments.void),
        await write_anomalies(
            connection,
            [event for event in events if isinstance(event, PaymentAnomaly | PaymentAnomalyResolved)],
        ),
        clock.now(),
    )
    await append(connection, [_outgoing(caused, recorded_at) for caused in caused_events])


def _outgoing(caused: CausedEvent, recorded_at: _RecordedAt) -> OutgoingEvent:
    outgoing = replace(
        outgoing_event(caused.event, recorded_at.of(caused.event)),
        event_id=recorded_at.event_id_of(caused.event),
    )
    return outgoing if caused.cause is None else caused_by(outgoing, caused.cause)
