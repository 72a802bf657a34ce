"""Anomalies of payments: opened while their reason lasts, resolved when it is gone (BK-8)."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from booking.domain.booking import Booking
from booking.domain.payments import (
    Anomaly,
    Exclusion,
    Payment,
    PaymentAnomaly,
    PaymentAnomalyResolved,
)
from booking.domain.settlement import RecordedPayment
from contracts.ids import BookingId, recorded_id
from contracts.money import Money

_RESOLUTIONS: Mapping[Anomaly, str] = {
    Anomaly.BOOKING_ID_MISSING: "another object names the booking, or the money went back",
    Anomaly.BOOKING_UNKNOWN: "the booking is known now, or the money went back",
    Anomaly.BOOKING_CANCELLED: "the money went back",
    Anomaly.CURRENCY_MISMATCH: "the money went back",
    Anomaly.PAYMENT_CONFLICT: "the facts agree",
    Anomaly.PAID_OUT_OF_BAND: "the money went back, or it was paid through Stripe after all",
    Anomaly.REFUND_FAILED: "another refund sent the money back",
    Anomaly.DISPUTE_LOST: "the dispute is no longer lost",
}


@dataclass(frozen=True, slots=True, order=True)
class AnomalyKey:
    """Identity of an anomaly. `subject` is the refund or dispute it is about, else the payment."""

    provider: str
    payment_id: str
    kind: Anomaly
    subject: str


@dataclass(frozen=True, slots=True)
class OpenAnomaly:
    """An anomaly as it was reported."""

    key: AnomalyKey
    booking_id: BookingId | None
    booking_reference: str | None


def anomalies_of(recorded: RecordedPayment, booking: Booking | None) -> Mapping[AnomalyKey, str]:
    """Return the anomalies that a payment has now, each with its explanation in one sentence."""
    payment = recorded.payment
    anomalies: dict[tuple[Anomaly, str], str] = {}
    own = payment.payment_id
    if payment.held:
        if recorded.exclusion is not None:
            anomalies[Anomaly(recorded.exclusion.value), own] = _explain_exclusion(
                recorded.exclusion, payment, booking
            )
        if payment.is_out_of_band:
            anomalies[Anomaly.PAID_OUT_OF_BAND, own] = (
                f"{payment.captured} were paid outside of Stripe: check that the money arrived"
            )
    if payment.conflicts:
        anomalies[Anomaly.PAYMENT_CONFLICT, own] = "; ".join(payment.conflicts)
    for refund in payment.failed_refunds:
        anomalies[Anomaly.REFUND_FAILED, refund] = (
            f"the refund {refund} failed and its money is back: refund the client in another way"
        )
    for dispute in payment.lost_disputes:
        anomalies[Anomaly.DISPUTE_LOST, dispute] = (
            f"the dispute {dispute} was lost: {Money(payment.lost, payment.captured.currency)} are gone"
        )
    return {
        AnomalyKey(payment.provider, own, kind, subject): text for (kind, subject), text in anomalies.items()
    }


def _explain_exclusion(exclusion: Exclusion, payment: Payment, booking: Booking | None) -> str:
    match exclusion:
        case Exclusion.BOOKING_ID_MISSING:
            return "the payment names no booking in metadata.booking_id"
        case Exclusion.BOOKING_CANCELLED:
            return "the booking is cancelled: refund the payment, or book anew"
        case Exclusion.CURRENCY_MISMATCH if booking is not None:
            return f"{payment.captured} was paid, but the booking is in {booking.total.currency}"
        case _:
            return f"there is no booking {recorded_id(payment.booking_reference or '')}"


def report_anomalies(
    bookings: Mapping[BookingId, Booking],
    recorded: Iterable[RecordedPayment],
    opened: Collection[OpenAnomaly],
) -> tuple[dict[BookingId, Booking], tuple[PaymentAnomaly | PaymentAnomalyResolved, ...]]:
    """Compare the anomalies that payments have now with those that are open.

    Args:
        bookings: the bookings of the payments and of the open anomalies.
        recorded: the payments, as they are now.
        opened: the open anomalies of these payments and of their objects.

    Returns:
        The bookings at their versions after the events, and the events.
    """
    after = dict(bookings)
    now: dict[AnomalyKey, tuple[RecordedPayment, str]] = {}
    for item in recorded:
        booking = None if item.booking_id is None else bookings[item.booking_id]
        now |= {key: (item, text) for key, text in anomalies_of(item, booking).items()}
    events: list[PaymentAnomaly | PaymentAnomalyResolved] = []
    for anomaly in sorted(opened, key=lambda item: item.key):
        if anomaly.key not in now:
            sequence = _advance(after, anomaly.booking_id)
            events.append(_resolved(anomaly, sequence))
    for key in sorted(now.keys() - {anomaly.key for anomaly in opened}):
        item, text = now[key]
        events.append(_anomaly(key, item, text, _advance(after, item.booking_id)))
    return after, tuple(events)


def _advance(bookings: dict[BookingId, Booking], booking_id: BookingId | None) -> int | None:
    if booking_id is None:
        return None
    booking = bookings[booking_id]
    bookings[booking_id] = replace(booking, version=booking.version + 1)
    return booking.version + 1


def _anomaly(key: AnomalyKey, recorded: RecordedPayment, text: str, sequence: int | None) -> PaymentAnomaly:
    return PaymentAnomaly(
        booking_id=recorded.booking_id,
        sequence=sequence,
        provider=key.provider,
        payment_id=key.payment_id,
        booking_reference=recorded.payment.booking_reference,
        captured=recorded.payment.captured,
        kind=key.kind,
        subject=key.subject,
        explanation=text,
    )


def _resolved(anomaly: OpenAnomaly, sequence: int | None) -> PaymentAnomalyResolved:
    return PaymentAnomalyResolved(
        booking_id=anomaly.booking_id,
        sequence=sequence,
        provider=anomaly.key.provider,
        payment_id=anomaly.key.payment_id,
        booking_reference=anomaly.booking_reference,
        kind=anomaly.key.kind,
        subject=anomaly.key.subject,
        explanation=_RESOLUTIONS[anomaly.key.kind],
    )
