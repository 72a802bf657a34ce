"""Money entered by hand becomes a fact, and its counter-entry undoes it once (BK-16)."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from booking.domain.booking import Booking
from booking.domain.derivation import derive_payments
from booking.domain.entries import Entry, EntryRefusedError, require_receivable
from booking.domain.payments import PaymentState
from booking.domain.statuses import Status
from contracts.ids import BookingId
from contracts.money import Money

ID = BookingId("0198c5a0-0000-7000-8000-000000000001")
PENDING = Booking(id=ID, status=Status.PENDING, version=1, transitions=1, total=Money(5000, "USD"))
ENTRY = Entry(
    entry_id="e1",
    booking_id=ID,
    amount=Money(5000, "USD"),
    method="cash",
    received_at=datetime(2026, 11, 24, tzinfo=UTC),
    entered_by="ada",
    reason="at the door",
)


def test_counter_entry_takes_the_money_of_its_entry_and_no_more() -> None:
    undone = replace(ENTRY, entry_id="e2", reverses="e1").fact()
    again = replace(ENTRY, entry_id="e3", reverses="e1").fact()
    [paid] = derive_payments([ENTRY.fact()])
    assert (paid.payment_id, paid.state, paid.held) == ("e1", PaymentState.SUCCEEDED, 5000)
    for facts in ([undone, ENTRY.fact()], [ENTRY.fact(), undone, again]):
        [payment] = derive_payments(facts)
        assert (payment.payment_id, payment.state, payment.held) == ("e1", PaymentState.CANCELED, 0)


@pytest.mark.parametrize(
    ("booking", "amount", "kind"),
    [
        (replace(PENDING, status=Status.CANCELLED), Money(1, "USD"), "booking-cancelled"),
        (PENDING, Money(1, "EUR"), "currency-mismatch"),
    ],
)
def test_booking_that_cannot_receive_money_refuses_it(booking: Booking, amount: Money, kind: str) -> None:
    with pytest.raises(EntryRefusedError) as refused:
        require_receivable(booking, amount)
    assert refused.value.kind == kind


def test_money_in_the_currency_of_the_booking_is_received() -> None:
    require_receivable(PENDING, ENTRY.amount)
