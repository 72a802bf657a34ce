"""What may change of a booking, and what its price does (BK-6, BK-16)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from booking.domain.booking import Booking
from booking.domain.changes import (
    Change,
    DetailsChanged,
    NotChangeableError,
    PriceFrozenError,
    Repriced,
    change_details,
    override_price,
    price_change,
    reprice,
)
from booking.domain.details import BookingRecord, Client, Details, Pet, quote
from booking.domain.funds import Funds
from booking.domain.statuses import Actor, Status
from contracts.ids import BookingId
from contracts.money import Money
from pricing import InvalidPriceRequestError, to_json_object

ADA = Actor("ada", is_operator=True)
ZONE = "America/Chicago"
AT = datetime(2026, 11, 24, 15, tzinfo=UTC)
DETAILS = Details(
    client=Client("Ada", "+13125550100", None),
    service="drop-in",
    starts_at=AT,
    ends_at=AT + timedelta(minutes=30),
    pets=(Pet("Rex", "dog"),),
    visits=(),
    notes=None,
    holiday=None,
)
LONGER = replace(DETAILS, ends_at=AT + timedelta(minutes=60))
WITH_NOTES = replace(DETAILS, notes="the key is next door")
PRICE = quote(DETAILS, time_zone=ZONE, at=AT)
TOTAL = Money(PRICE.total, PRICE.currency)


def stored(status: Status = Status.PENDING, *, captured: int = 0) -> BookingRecord:
    booking = Booking(
        id=BookingId("0198c5a0-0000-7000-8000-000000000001"),
        status=status,
        version=3,
        transitions=1,
        total=TOTAL,
        funds=Funds(captured=captured),
    )
    return BookingRecord(
        booking=booking,
        details=DETAILS,
        pricing=to_json_object(PRICE),
        created_at=AT,
        updated_at=AT,
        confirmed_at=None,
    )


def changed(record: BookingRecord, details: Details) -> Change:
    return change_details(record, details, by=ADA, time_zone=ZONE, at=AT)


def usd(amount: int) -> Money:
    return Money(amount, "USD")


def test_equal_details_change_nothing() -> None:
    change = changed(stored(Status.CANCELLED), DETAILS)
    assert (change.events, change.booking.version) == ((), 3)


def test_pending_booking_is_priced_anew_and_keeps_before_and_after() -> None:
    change = changed(stored(), LONGER)
    told, repriced = change.events
    assert isinstance(told, DetailsChanged)
    assert isinstance(repriced, Repriced)
    assert (told.names, told.sequence, repriced.sequence) == (("ends_at",), 4, 5)
    assert (repriced.before, repriced.after, change.booking.version) == (TOTAL, change.booking.total, 5)
    assert repriced.after != TOTAL
    assert price_change(change.events) == {"before": repriced.before, "after": repriced.after}


def test_details_of_the_same_price_are_no_repricing() -> None:
    change = changed(stored(), replace(DETAILS, holiday=False))
    assert [type(event) for event in change.events] == [DetailsChanged]
    assert price_change(change.events) is None


@pytest.mark.parametrize("status", [Status.PENDING, Status.CONFIRMED, Status.IN_PROGRESS])
def test_notes_change_without_a_price(status: Status) -> None:
    change = changed(stored(status), WITH_NOTES)
    assert (change.snapshot, len(change.events)) == (None, 1)


def test_price_is_frozen_at_confirmation() -> None:
    with pytest.raises(PriceFrozenError, match="frozen since the confirmation"):
        changed(stored(Status.CONFIRMED), LONGER)
    change = changed(stored(Status.CONFIRMED), replace(DETAILS, holiday=False))
    assert (change.snapshot, change.booking.total) == (None, TOTAL)
    unpriced = replace(stored(Status.CONFIRMED), pricing=None)
    assert changed(unpriced, LONGER).booking.total == TOTAL


@pytest.mark.parametrize(
    ("status", "details", "names"),
    [
        (Status.IN_PROGRESS, LONGER, ("ends_at",)),
        (Status.COMPLETED, WITH_NOTES, ("notes",)),
        (Status.CANCELLED, WITH_NOTES, ("notes",)),
    ],
)
def test_status_decides_what_may_change(status: Status, details: Details, names: tuple[str, ...]) -> None:
    with pytest.raises(NotChangeableError, match=f"{names[0]}: the booking is {status}") as refused:
        changed(stored(status), details)
    assert refused.value.names == names


def test_only_a_pending_booking_is_priced_by_the_card_in_force() -> None:
    change = reprice(stored(), DETAILS, by=ADA, time_zone=ZONE, at=AT)
    assert [type(event) for event in change.events] == [Repriced]
    with pytest.raises(PriceFrozenError, match="confirmed"):
        reprice(stored(Status.CONFIRMED), DETAILS, by=ADA, time_zone=ZONE, at=AT)


def test_override_keeps_before_after_reason_and_actor() -> None:
    change = override_price(stored(Status.CONFIRMED), usd(100), reason="a friend", by=ADA)
    assert change.snapshot is not None
    kept: Any = to_json_object(change.snapshot)["override"]
    assert (kept["before"], kept["after"]) == (TOTAL.amount, 100)
    assert (kept["reason"], kept["actor"]) == ("a friend", "ada")
    [event] = change.events
    assert isinstance(event, Repriced)
    assert (event.before, event.after, event.changed_by) == (TOTAL, usd(100), "ada")


@pytest.mark.parametrize(
    ("record", "total", "error"),
    [
        (stored(Status.COMPLETED), usd(1), NotChangeableError),
        (stored(Status.CANCELLED), usd(1), NotChangeableError),
        (replace(stored(), pricing=None), usd(1), PriceFrozenError),
        (stored(), Money(1, "EUR"), InvalidPriceRequestError),
    ],
)
def test_override_that_makes_no_sense_is_refused(
    record: BookingRecord, total: Money, error: type[Exception]
) -> None:
    with pytest.raises(error):
        override_price(record, total, reason="r", by=ADA)


@pytest.mark.parametrize(("captured", "status"), [(100, Status.CONFIRMED), (99, Status.PENDING)])
def test_lower_price_that_is_paid_confirms(captured: int, status: Status) -> None:
    change = override_price(stored(captured=captured), usd(100), reason="r", by=ADA)
    assert change.booking.status is status
