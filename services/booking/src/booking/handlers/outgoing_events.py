"""Outgoing events: messages of `bookings.events.v1` built from domain events (BK-12)."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from booking.domain.booking import Booking, Transition
from booking.domain.changes import DetailsChanged, Repriced
from booking.domain.details import Details
from booking.domain.payments import (
    PaymentAnomaly,
    PaymentAnomalyResolved,
    PaymentEvent,
    PaymentFailed,
    PaymentRecorded,
    PaymentState,
)
from booking.settings import SERVICE
from chassis.messaging.outbox import OutgoingEvent
from contracts.bookings import (
    BookingChanged,
    BookingCreated,
    BookingPaymentAnomaly,
    BookingPaymentAnomalyResolved,
    BookingPaymentFailed,
    BookingPaymentRecorded,
    BookingRepriced,
    BookingStatusChanged,
)
from contracts.money import Money
from contracts.wire import WireModel

BookingEvent = PaymentEvent | DetailsChanged | Repriced


def booking_created(
    booking: Booking, details: Details, created: Transition, recorded_at: datetime
) -> OutgoingEvent:
    """Return `booking.created`, which holds no personal data of the client."""
    payload = BookingCreated(
        booking_id=booking.id,
        version=created.version,
        status=created.to_status.value,
        service=details.service,
        starts_at=details.starts_at,
        ends_at=details.ends_at,
        total=booking.total,
        changed_by=created.changed_by,
        recorded_at=recorded_at,
    )
    return _outgoing(payload, booking.id, booking.version)


def outgoing_event(event: BookingEvent, recorded_at: datetime) -> OutgoingEvent:
    """Return the message of a domain event.

    Its sequence is the booking's version after the event: one message per version.
    """
    payload = _PAYLOADS[type(event)](event, recorded_at)
    if isinstance(event, PaymentAnomaly | PaymentAnomalyResolved):
        return _outgoing(payload, _anomaly_key(event), event.sequence)
    return _outgoing(payload, event.booking_id, event.sequence)


def _anomaly_key(event: PaymentAnomaly | PaymentAnomalyResolved) -> str:
    # The same for both events of an anomaly, so that they stay in order.
    return event.booking_id or event.booking_reference or event.payment_id


def _outgoing(payload: WireModel, key: str, sequence: int | None) -> OutgoingEvent:
    return OutgoingEvent(payload=payload, key=key, source=SERVICE, subject=key, sequence=sequence)


def _status_changed(transition: Transition, recorded_at: datetime) -> BookingStatusChanged:
    assert transition.from_status is not None, "booking.created stands for the creation"
    return BookingStatusChanged(
        booking_id=transition.booking_id,
        version=transition.version,
        from_status=transition.from_status.value,
        to_status=transition.to_status.value,
        changed_by=transition.changed_by,
        reason=transition.reason,
        metadata=dict(transition.metadata),
        recorded_at=recorded_at,
    )


def _details_changed(event: DetailsChanged, recorded_at: datetime) -> BookingChanged:
    return BookingChanged(
        booking_id=event.booking_id,
        fields=list(event.names),
        changed_by=event.changed_by,
        recorded_at=recorded_at,
    )


def _repriced(event: Repriced, recorded_at: datetime) -> BookingRepriced:
    return BookingRepriced(
        booking_id=event.booking_id,
        before=event.before,
        after=event.after,
        cause=event.cause,
        payment_status=event.payment_status.value,
        changed_by=event.changed_by,
        recorded_at=recorded_at,
    )


def _payment_recorded(event: PaymentRecorded, recorded_at: datetime) -> BookingPaymentRecorded:
    payment = event.payment
    currency = payment.captured.currency
    return BookingPaymentRecorded(
        booking_id=event.booking_id,
        provider=payment.provider,
        provider_payment_id=payment.payment_id,
        captured=payment.captured,
        payment_status=event.payment_status.value,
        paid_total=event.paid_total,
        recorded_at=recorded_at,
        refunded=Money(payment.refunded, currency),
        refund_pending=Money(payment.refund_pending, currency),
        disputed=Money(payment.disputed, currency),
        lost=Money(payment.lost, currency),
    )


def _payment_failed(event: PaymentFailed, recorded_at: datetime) -> BookingPaymentFailed:
    return BookingPaymentFailed(
        booking_id=event.booking_id,
        provider=event.payment.provider,
        provider_payment_id=event.payment.payment_id,
        state="failed" if event.payment.state is PaymentState.FAILED else "canceled",
        reason=event.payment.reason,
        payment_status=event.payment_status.value,
        recorded_at=recorded_at,
    )


def _payment_anomaly(event: PaymentAnomaly, recorded_at: datetime) -> BookingPaymentAnomaly:
    return BookingPaymentAnomaly(
        booking_id=event.booking_reference,
        kind=event.kind.value,
        provider=event.provider,
        provider_payment_id=event.payment_id,
        captured=event.captured,
        explanation=event.explanation,
        recorded_at=recorded_at,
        subject=event.subject,
    )


def _anomaly_resolved(event: PaymentAnomalyResolved, recorded_at: datetime) -> BookingPaymentAnomalyResolved:
    return BookingPaymentAnomalyResolved(
        booking_id=event.booking_reference,
        kind=event.kind.value,
        provider=event.provider,
        provider_payment_id=event.payment_id,
        subject=event.subject,
        explanation=event.explanation,
        recorded_at=recorded_at,
    )


_PAYLOADS: Mapping[type[BookingEvent], Callable[[Any, datetime], WireModel]] = {
    Transition: _status_changed,
    DetailsChanged: _details_changed,
    Repriced: _repriced,
    PaymentRecorded: _payment_recorded,
    PaymentFailed: _payment_failed,
    PaymentAnomaly: _payment_anomaly,
    PaymentAnomalyResolved: _anomaly_resolved,
}
