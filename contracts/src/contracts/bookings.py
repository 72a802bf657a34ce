"""Events of bookings (BK-12). No field names a person: no phone, no e-mail, no message text."""

from typing import Annotated, Literal

from pydantic import Field

from contracts.money import Money
from contracts.wire import UtcDatetime, WireModel

BookingStatus = Literal["pending", "confirmed", "in_progress", "completed", "cancelled"]
PaymentStatus = Literal[
    "unpaid", "partially_paid", "paid", "overpaid", "partially_refunded", "refunded", "disputed"
]
ANOMALY_KINDS = (
    "booking_cancelled", "booking_unknown", "currency_mismatch", "booking_id_missing", "payment_conflict",
    "other_mode", "other_account", "thin_event", "paid_out_of_band", "refund_failed", "dispute_lost",
)  # fmt: skip
# Not an enum: further kinds are added inside v1, and a consumer must take one that it does not know.
AnomalyKind = Annotated[str, Field(json_schema_extra={"x-extensible-enum": list(ANOMALY_KINDS)})]


class BookingCreated(WireModel):
    """A booking exists, with its price. It is also the first entry of the status history (version 1)."""

    booking_id: str
    version: int
    status: BookingStatus
    service: str
    starts_at: UtcDatetime
    ends_at: UtcDatetime
    total: Money
    changed_by: str
    recorded_at: UtcDatetime


class BookingStatusChanged(WireModel):
    """One status transition, as it stands in the booking's history.

    `version` counts the transitions of one booking without gaps (BK-4), creation being 1. The header
    `ce_sequence` counts everything that happens to the booking.
    """

    booking_id: str
    version: int
    from_status: BookingStatus
    to_status: BookingStatus
    changed_by: str
    reason: str | None
    metadata: dict[str, str]
    recorded_at: UtcDatetime


class BookingChanged(WireModel):
    """Details of a booking changed. Only their names are published: the values are personal data."""

    booking_id: str
    fields: list[str]
    changed_by: str
    recorded_at: UtcDatetime


class BookingRepriced(WireModel):
    """A booking has another price (BK-6). `payment_status` is the one at the new price.

    `cause` is `details` (they changed while it was pending), `reprice` (priced anew by the rate card in
    force) or `override` (a person set the total).
    """

    booking_id: str
    before: Money
    after: Money
    cause: Literal["details", "reprice", "override"]
    payment_status: PaymentStatus
    changed_by: str
    recorded_at: UtcDatetime


class BookingPaymentRecorded(WireModel):
    """A payment of a booking has other amounts; totals are what the booking now holds (BK-7).

    A payment is published again whenever a refund or a dispute changes it. `refunded` includes
    `refund_pending`, the part on its way; `disputed` is under an open dispute, `lost` went by a lost one. All
    four are parts of `captured`. None in messages from before these members existed.
    """

    booking_id: str
    provider: str
    provider_payment_id: str
    captured: Money
    payment_status: PaymentStatus
    paid_total: Money
    recorded_at: UtcDatetime
    refunded: Money | None = None
    refund_pending: Money | None = None
    disputed: Money | None = None
    lost: Money | None = None


class BookingPaymentFailed(WireModel):
    """An attempt to pay a booking failed or was given up. No money moved.

    `reason` is the provider's code, for example `card_declined`.
    """

    booking_id: str
    provider: str
    provider_payment_id: str
    state: Literal["failed", "canceled"]
    reason: str | None
    payment_status: PaymentStatus
    recorded_at: UtcDatetime


class BookingPaymentAnomaly(WireModel):
    """A payment that does not fit its booking. It changes no status; a person must look at it (BK-8).

    `captured` is 0 of no currency (ISO 4217) if the provider sent no amount. Kinds other_mode and
    other_account are events of another Stripe mode or account (BK-7a), thin_event is one that carries no
    payment (BK-7b). `subject` is the refund or dispute that the anomaly is about, else the payment.
    """

    booking_id: str | None
    kind: AnomalyKind
    provider: str
    provider_payment_id: str
    captured: Money
    explanation: str
    recorded_at: UtcDatetime
    subject: str | None = None


class BookingPaymentAnomalyResolved(WireModel):
    """The reason of an anomaly is gone (BK-8). Payment, kind and subject are those of the anomaly."""

    booking_id: str | None
    kind: AnomalyKind
    provider: str
    provider_payment_id: str
    subject: str
    explanation: str
    recorded_at: UtcDatetime


class BookingIdentityConflict(WireModel):
    """An event id came again with another body. Nothing was applied (BK-10)."""

    source: str
    event_id: str
    first_body_sha256: str
    second_body_sha256: str
    recorded_at: UtcDatetime


OFFER_CLOSED_REASONS = ("expired", "withdrawn", "taken", "booking_closed")
# Not an enum: further reasons are added inside v1.
OfferClosedReason = Annotated[str, Field(json_schema_extra={"x-extensible-enum": list(OFFER_CLOSED_REASONS)})]


class OfferReference(WireModel):
    """An offer of a booking to a person, whom `person_id` names (BK-9)."""

    offer_id: str
    booking_id: str
    person_id: str


class BookingOfferMade(OfferReference):
    """A booking was offered to a person, who accepts by SMS until `expires_at`."""

    made_by: str
    expires_at: UtcDatetime
    recorded_at: UtcDatetime


class BookingOfferAccepted(OfferReference):
    """A person has accepted an offer. `sms_event_id` is the event of the SMS that said yes."""

    sms_event_id: str | None
    recorded_at: UtcDatetime


class BookingOfferClosed(OfferReference):
    """An offer can no longer be accepted. `taken`: another person accepted first."""

    closed_reason: OfferClosedReason
    closed_by: str
    recorded_at: UtcDatetime


class BookingOfferTooLate(OfferReference):
    """A person has accepted an offer that is closed, for this reason. The business should answer."""

    closed_reason: OfferClosedReason
    sms_event_id: str | None
    recorded_at: UtcDatetime


class BookingOfferAmbiguous(WireModel):
    """A person with several open offers has said yes. None is accepted; a person must ask which one is meant.

    `booking_id` and `person_id` are those of the newest offer. The message has no `ce_sequence`.
    """

    booking_id: str
    person_id: str
    offers: list[OfferReference]
    sms_event_id: str | None
    recorded_at: UtcDatetime
