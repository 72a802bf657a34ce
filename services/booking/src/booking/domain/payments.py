"""Payments as derived from facts, and the events that report their changes (BK-7, BK-8)."""

from dataclasses import dataclass
from enum import StrEnum

from booking.domain.booking import Transition
from booking.domain.funds import PaymentStatus
from contracts.ids import BookingId
from contracts.money import Money


class PaymentState(StrEnum):
    """State of a payment. Refunds and disputes do not change it: they have amounts of their own."""

    PENDING = "pending"
    FAILED = "failed"
    CANCELED = "canceled"
    SUCCEEDED = "succeeded"


class Exclusion(StrEnum):
    """Reason why a payment does not count for a booking."""

    BOOKING_ID_MISSING = "booking_id_missing"
    BOOKING_UNKNOWN = "booking_unknown"
    BOOKING_CANCELLED = "booking_cancelled"
    CURRENCY_MISMATCH = "currency_mismatch"


class Anomaly(StrEnum):
    """Reason why a person must look at a payment: an exclusion, or a problem of a payment that counts."""

    BOOKING_ID_MISSING = "booking_id_missing"
    BOOKING_UNKNOWN = "booking_unknown"
    BOOKING_CANCELLED = "booking_cancelled"
    CURRENCY_MISMATCH = "currency_mismatch"
    PAYMENT_CONFLICT = "payment_conflict"
    PAID_OUT_OF_BAND = "paid_out_of_band"
    REFUND_FAILED = "refund_failed"
    DISPUTE_LOST = "dispute_lost"


class NotApplied(StrEnum):
    """Reason why an event that tells of money is not applied (`contracts.stripe_events`)."""

    OTHER_MODE = "other_mode"
    OTHER_ACCOUNT = "other_account"
    THIN_EVENT = "thin_event"


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """One payment, however many objects and events tell of it. Amounts are minor units of `captured`.

    Attributes:
        provider: e.g. `stripe`.
        payment_id: the payment intent; without one the charge, invoice, session or entry.
        booking_reference: the booking that the objects name, known or not; None without a name.
        captured: captured amount; 0 unless `state` is `succeeded`.
        refunded: part of it that was sent back, with the part that is on its way.
        refund_pending: part of `refunded` that is on its way.
        disputed: part under an open dispute.
        lost: part that a lost dispute took.
        is_out_of_band: True if the provider only knows that the money was paid elsewhere.
        failed_refunds: refunds that failed and were not repeated.
        lost_disputes: disputes that were lost.
        conflicts: contradictions among the facts, one sentence each.
        event_id: the event that reported the captured money first; without money, the first event.
        reason: the provider's code for a failure.
        object_ids: all objects that belong to the payment.
    """

    provider: str
    payment_id: str
    state: PaymentState
    booking_reference: str | None
    captured: Money
    refunded: int = 0
    refund_pending: int = 0
    disputed: int = 0
    lost: int = 0
    is_out_of_band: bool = False
    failed_refunds: tuple[str, ...] = ()
    lost_disputes: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    event_id: str
    reason: str | None = None
    object_ids: frozenset[str] = frozenset()

    @property
    def held(self) -> int:
        """Return the captured money that did not go back."""
        return self.captured.amount - self.refunded - self.lost

    @property
    def money(self) -> tuple[Money, int, int, int, int]:
        """Return all amounts; two payments with equal ones are worth the same."""
        return self.captured, self.refunded, self.refund_pending, self.disputed, self.lost


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRecorded:
    """A payment that counts for a booking has other amounts. Status and total are those after the change."""

    booking_id: BookingId
    sequence: int
    payment: Payment
    payment_status: PaymentStatus
    paid_total: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentFailed:
    """An attempt to pay a booking failed or was given up. No money moved."""

    booking_id: BookingId
    sequence: int
    payment: Payment
    payment_status: PaymentStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentAnomaly:
    """A payment needs a person. `booking_id` and `sequence` are None for an unknown booking.

    Attributes:
        booking_reference: the booking that the payment names.
        subject: the refund or dispute, where the anomaly is about one; else the payment.
    """

    booking_id: BookingId | None
    sequence: int | None
    provider: str
    payment_id: str
    booking_reference: str | None
    captured: Money
    kind: Anomaly | NotApplied
    subject: str
    explanation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentAnomalyResolved:
    """The reason of an anomaly is gone."""

    booking_id: BookingId | None
    sequence: int | None
    provider: str
    payment_id: str
    booking_reference: str | None
    kind: Anomaly
    subject: str
    explanation: str


PaymentEvent = PaymentRecorded | PaymentFailed | PaymentAnomaly | PaymentAnomalyResolved | Transition
