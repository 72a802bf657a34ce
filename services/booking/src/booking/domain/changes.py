"""Decisions about changes of a booking's details and price (BK-3, BK-6, BK-16)."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, Literal

from booking.domain.booking import Booking, Transition, change_status
from booking.domain.details import BookingRecord, Details, quote, requote
from booking.domain.funds import PaymentStatus
from booking.domain.statuses import Actor, Status
from contracts.ids import BookingId
from contracts.money import Money
from pricing import InvalidPriceRequestError, Snapshot, parse_snapshot, with_override

RepricingCause = Literal["details", "reprice", "override"]

PAID_AT_NEW_PRICE = "paid in full at the new price"

# Details that the price depends on.
_PRICED = ("service", "starts_at", "ends_at", "visits", "pets", "holiday")
# Details that may change while the booking is under way.
_UNDER_WAY = ("client", "notes")


class NotChangeableError(ValueError):
    """The booking's status does not allow a change of these details."""

    def __init__(self, status: Status, names: tuple[str, ...]) -> None:
        rule = (
            "its details are final"
            if status in (Status.COMPLETED, Status.CANCELLED)
            else f"only {' and '.join(_UNDER_WAY)} can change"
        )
        super().__init__(f"{', '.join(names)}: the booking is {status}, {rule}")
        self.status = status
        self.names = names


class PriceFrozenError(ValueError):
    """The price is frozen at confirmation; only an explicit override changes it (BK-6)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DetailsChanged:
    """Details of a booking changed. The values are personal data and stay in the booking's row."""

    booking_id: BookingId
    sequence: int
    names: tuple[str, ...]
    changed_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Repriced:
    """A booking has another price. `payment_status` is the one at the new price."""

    booking_id: BookingId
    sequence: int
    before: Money
    after: Money
    cause: RepricingCause
    payment_status: PaymentStatus
    changed_by: str


ChangeEvent = DetailsChanged | Repriced | Transition


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A decided change.

    Attributes:
        booking, details: after the change.
        snapshot: the new price; None if the stored one stays.
        events: what changed, in order; empty if nothing did.
    """

    booking: Booking
    details: Details
    snapshot: Snapshot | None = None
    events: tuple[ChangeEvent, ...] = ()


def change_details(
    record: BookingRecord, details: Details, *, by: Actor, time_zone: str, at: datetime
) -> Change:
    """Return a booking with other details, priced anew while it is pending.

    A confirmed booking keeps its price: the details may change as long as its own rate card and engine give
    the same price for them.

    Args:
        record: the booking as stored.
        details: all details as they shall be.
        by: the person who changes them.
        time_zone: IANA zone of the business.
        at: the moment, which decides the rate card.

    Raises:
        NotChangeableError: the status does not allow the change.
        PriceFrozenError: the change would need another price.
        InvalidPriceRequestError: a field cannot be priced; the message names it.
    """
    booking = record.booking
    names = tuple(
        field.name
        for field in fields(details)
        if getattr(details, field.name) != getattr(record.details, field.name)
    )
    if not names:
        return Change(booking=booking, details=details)
    _require_changeable(booking.status, names)
    changed = replace(booking, version=booking.version + 1)
    event = DetailsChanged(booking_id=booking.id, sequence=changed.version, names=names, changed_by=by.name)
    if not any(name in _PRICED for name in names):
        return Change(booking=changed, details=details, events=(event,))
    if booking.status is Status.PENDING:
        priced = quote(details, time_zone=time_zone, at=at)
        after, events = _reprice(changed, priced, "details", by)
        return Change(booking=after, details=details, snapshot=priced, events=(event, *events))
    _require_same_price(record, details, time_zone)
    return Change(booking=changed, details=details, events=(event,))


def _require_changeable(status: Status, names: tuple[str, ...]) -> None:
    if status in (Status.PENDING, Status.CONFIRMED):
        return
    allowed = _UNDER_WAY if status is Status.IN_PROGRESS else ()
    refused = tuple(name for name in names if name not in allowed)
    if refused:
        raise NotChangeableError(status, refused)


def _require_same_price(record: BookingRecord, details: Details, time_zone: str) -> None:
    if record.pricing is None:
        return
    stored = parse_snapshot(record.pricing)
    # An override replaces the computed price, before and after.
    agreed = requote(record.details, stored, time_zone=time_zone).total
    needed = requote(details, stored, time_zone=time_zone).total
    if needed != agreed:
        raise PriceFrozenError(
            f"the price is frozen since the confirmation: these details cost {Money(needed, stored.currency)}"
            f" instead of {Money(agreed, stored.currency)}; agree on a total with POST …/reprice first,"
            " or set the booking back to pending"
        )


def reprice(record: BookingRecord, details: Details, *, by: Actor, time_zone: str, at: datetime) -> Change:
    """Return a pending booking, priced anew by the rate card in force.

    Raises:
        PriceFrozenError: the booking is not pending.
        InvalidPriceRequestError, UnknownServiceError: the details cannot be priced.
    """
    if record.booking.status is not Status.PENDING:
        raise PriceFrozenError(
            f"the price is frozen: the booking is {record.booking.status}; give a total to override it"
        )
    priced = quote(details, time_zone=time_zone, at=at)
    booking, events = _reprice(record.booking, priced, "reprice", by)
    return Change(booking=booking, details=details, snapshot=priced, events=events)


def override_price(record: BookingRecord, total: Money, *, reason: str, by: Actor) -> Change:
    """Return a booking with a total that a person sets.

    Raises:
        NotChangeableError: the booking is completed or cancelled.
        InvalidPriceRequestError: total or reason cannot be used.
        PriceFrozenError: the booking has no price to override.
    """
    booking = record.booking
    if booking.status in (Status.COMPLETED, Status.CANCELLED):
        raise NotChangeableError(booking.status, ("total",))
    if record.pricing is None:
        raise PriceFrozenError("the booking has no price snapshot: there is no price to override")
    if total.currency != booking.total.currency:
        raise InvalidPriceRequestError(
            f"total.currency: the booking is in {booking.total.currency}, not in {total.currency}"
        )
    stored = parse_snapshot(record.pricing)
    priced = with_override(stored, after=total.amount, reason=reason, actor=by.name)
    changed, events = _reprice(booking, priced, "override", by)
    return Change(booking=changed, details=record.details, snapshot=priced, events=events)


def _reprice(
    booking: Booking, priced: Snapshot, cause: RepricingCause, by: Actor
) -> tuple[Booking, tuple[ChangeEvent, ...]]:
    before, after = booking.total, Money(priced.total, priced.currency)
    changed = replace(booking, total=after)
    if after == before and cause == "details":
        return changed, ()
    changed = replace(changed, version=changed.version + 1)
    event = Repriced(
        booking_id=booking.id,
        sequence=changed.version,
        before=before,
        after=after,
        cause=cause,
        payment_status=changed.payment_status,
        changed_by=by.name,
    )
    is_paid = changed.funds.held > 0 and changed.payment_status in (
        PaymentStatus.PAID,
        PaymentStatus.OVERPAID,
    )
    if changed.status is not Status.PENDING or not is_paid:
        return changed, (event,)
    confirmed, transitions = change_status(changed, Status.CONFIRMED, by=by, reason=PAID_AT_NEW_PRICE)
    return confirmed, (event, *transitions)


def price_change(events: tuple[ChangeEvent, ...]) -> Mapping[str, Any] | None:
    """Return the price before and after, if it changed."""
    for event in events:
        if isinstance(event, Repriced):
            return {"before": event.before, "after": event.after}
    return None
