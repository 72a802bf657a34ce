"""The report of today's prices: sums by service, currency and card, and what is counted apart."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from pricing import price, rate_card, snapshot, to_json_object, with_override
from reconciler.domain.bookings import StoredBooking, UnreadableBooking
from reconciler.domain.card_report import CardReport, CardRow
from unit.reconciler.stored_bookings import NOW, PRICE, booking, damaged, request

BEFORE_2026, IN_2026 = datetime(2025, 6, 1, tzinfo=UTC), NOW


def priced_by_example(**fields: Any) -> StoredBooking:
    """Return a booking that was priced by the card's version of 2025."""
    old = snapshot(request(service="drop-in", **fields), rate_card("example", "2025-01"))
    return replace(booking(), total=old.total, pricing=json.dumps(to_json_object(old)))


def report(*bookings: StoredBooking | UnreadableBooking, at: datetime = IN_2026, **fields: Any) -> CardReport:
    made = CardReport(at, **fields)
    made.add(bookings)
    return made


def test_price_of_the_card_in_force_is_the_stored_one() -> None:
    assert report(booking(), booking()).rows == [
        CardRow("drop-in", "USD", "default/2025-01", same=2, stored=2 * PRICE, today=2 * PRICE)
    ]


def test_later_version_of_the_card_is_compared_with_the_stored_price() -> None:
    stored = priced_by_example()
    today = price(request(service="drop-in"), rate_card("example", "2026-01")).total
    assert today > stored.total
    [row] = report(stored).rows
    assert (row.rate_card, row.dearer, row.cheaper, row.bookings) == ("example/2026-01", 1, 0, 1)
    assert (row.stored, row.today, row.difference) == (stored.total, today, today - stored.total)
    [then] = report(stored, at=BEFORE_2026).rows
    assert (then.rate_card, then.same) == ("example/2025-01", 1)


def test_row_counts_dearer_and_cheaper_bookings() -> None:
    [row] = report(replace(booking(), total=PRICE + 500), replace(booking(), total=PRICE - 200)).rows
    assert (row.bookings, row.same, row.dearer, row.cheaper, row.difference) == (2, 0, 1, 1, -300)


def test_bookings_that_start_earlier_and_cancelled_ones_are_left_out() -> None:
    starts_at = request().starts_at
    assert report(booking(), since=starts_at).rows
    left_out = report(booking(), since=starts_at + timedelta(seconds=1))
    assert (left_out.rows, left_out.apart) == ([], {})
    assert report(booking(status="cancelled")).rows == []


def _agreed(stored: StoredBooking) -> StoredBooking:
    priced = with_override(
        snapshot(request(), rate_card("default", "2025-01")), after=9900, reason="regular", actor="ana"
    )
    return replace(stored, pricing=json.dumps(to_json_object(priced)))


def _with(stored: StoredBooking, **members: Any) -> StoredBooking:
    def damage(pricing: dict[str, Any]) -> None:
        for path, value in members.items():
            place, _, key = path.rpartition("__")
            (pricing[place] if place else pricing)[key] = value

    return damaged(stored, damage)


@pytest.mark.parametrize(
    ("stored", "reason"),
    [
        (_agreed(booking()), "agreed"),
        (UnreadableBooking("b", "confirmed_at: no"), "unreadable"),
        (booking(pricing=None), "unreadable"),
        (booking(pricing="{"), "unreadable"),
        (booking(pricing="{}"), "unreadable"),
        (_with(booking(), rate_card__id="gone"), "card_gone"),
        (_with(booking(), inputs__service="hairdressing"), "service_gone"),
        (booking(currency="EUR"), "other_currency"),
        (_with(booking(), inputs__time_zone="Mars/Olympus"), "not_priced"),
    ],
)
def test_booking_without_a_price_of_today_is_counted_apart(
    stored: StoredBooking | UnreadableBooking, reason: str
) -> None:
    made = report(stored)
    assert (made.rows, dict(made.apart)) == ([], {reason: 1})
