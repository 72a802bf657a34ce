"""Payments: their effect on a booking, and anomalies (BK-7, BK-8)."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booking.domain.booking import Booking, Transition
from booking.domain.funds import Funds, PaymentStatus
from booking.domain.payments import Anomaly, Payment, PaymentAnomaly, PaymentRecorded, receive_payment
from booking.domain.statuses import Status
from contracts.ids import BookingId
from contracts.money import Money

ID = BookingId("0198c5a0-0000-7000-8000-000000000001")
PENDING = Booking(id=ID, status=Status.PENDING, version=1, transitions=1, total=Money(13200, "USD"))


def payment(
    amount: int = 13200, currency: str = "USD", *, of: str | None = ID, name: str = "pi_1"
) -> Payment:
    return Payment(
        provider="stripe",
        payment_id=name,
        booking_reference=of,
        captured=Money(amount, currency),
        event_id="evt_1",
    )


def test_full_payment_confirms_a_pending_booking() -> None:
    booking, (recorded, transition) = receive_payment(PENDING, payment(), None)
    assert booking is not None
    assert (booking.status, booking.version, booking.payment_status) == (Status.CONFIRMED, 3, "paid")
    assert isinstance(recorded, PaymentRecorded)
    assert (recorded.sequence, recorded.paid_total) == (2, Money(13200, "USD"))
    assert isinstance(transition, Transition)
    assert (transition.sequence, transition.version, transition.changed_by) == (3, 2, "stripe")
    assert transition.metadata == {"payment_id": "pi_1", "event_id": "evt_1"}


def test_partial_payments_confirm_when_they_cover_the_total() -> None:
    first, events = receive_payment(PENDING, payment(5000), None)
    assert first is not None
    assert (first.status, first.payment_status) == (Status.PENDING, PaymentStatus.PARTIALLY_PAID)
    assert [type(event) for event in events] == [PaymentRecorded]
    second, _ = receive_payment(first, payment(8200, name="pi_2"), None)
    assert second is not None
    assert (second.status, second.payment_status) == (Status.CONFIRMED, PaymentStatus.PAID)


def test_overpayment_confirms_and_shows() -> None:
    booking, _ = receive_payment(PENDING, payment(13201), None)
    assert booking is not None
    assert (booking.status, booking.payment_status) == (Status.CONFIRMED, PaymentStatus.OVERPAID)


@pytest.mark.parametrize("status", [Status.CONFIRMED, Status.IN_PROGRESS, Status.COMPLETED])
def test_payment_of_a_booking_under_way_changes_no_status(status: Status) -> None:
    booking, events = receive_payment(replace(PENDING, status=status), payment(), None)
    assert booking is not None
    assert (booking.status, booking.payment_status) == (status, PaymentStatus.PAID)
    assert [type(event) for event in events] == [PaymentRecorded]


def test_payment_reported_again_does_nothing() -> None:
    booking, _ = receive_payment(PENDING, payment(), None)
    again = replace(payment(), event_id="evt_2")
    assert receive_payment(booking, again, payment()) == (booking, ())


@pytest.mark.parametrize(
    ("booking", "arrived", "earlier", "kind"),
    [
        (replace(PENDING, status=Status.CANCELLED), payment(), None, Anomaly.BOOKING_CANCELLED),
        (replace(PENDING, status=Status.CANCELLED), payment(1, "EUR"), None, Anomaly.BOOKING_CANCELLED),
        (PENDING, payment(13200, "EUR"), None, Anomaly.CURRENCY_MISMATCH),
        (PENDING, payment(1), payment(2), Anomaly.PAYMENT_CONFLICT),
        (PENDING, payment(1), payment(1, "EUR"), Anomaly.PAYMENT_CONFLICT),
        (PENDING, payment(1), payment(1, of="another"), Anomaly.PAYMENT_CONFLICT),
        (None, payment(), None, Anomaly.BOOKING_UNKNOWN),
        (None, payment(of="no uuid"), None, Anomaly.BOOKING_UNKNOWN),
        (None, payment(of=None), None, Anomaly.BOOKING_ID_MISSING),
        (None, payment(1), payment(2), Anomaly.PAYMENT_CONFLICT),
    ],
)
def test_money_that_does_not_fit_is_an_anomaly_and_changes_nothing(
    booking: Booking | None, arrived: Payment, earlier: Payment | None, kind: Anomaly
) -> None:
    after, (event,) = receive_payment(booking, arrived, earlier)
    assert isinstance(event, PaymentAnomaly)
    assert (event.kind, event.payment) == (kind, arrived)
    if booking is None:
        assert (after, event.booking_id, event.sequence) == (None, None, None)
    else:
        assert after == replace(booking, version=booking.version + 1)
        assert (event.booking_id, event.sequence) == (booking.id, booking.version + 1)


@pytest.mark.parametrize(
    ("funds", "status"),
    [
        (Funds(0), "unpaid"),
        (Funds(1), "partially_paid"),
        (Funds(9999), "partially_paid"),
        (Funds(10000), "paid"),
        (Funds(10001), "overpaid"),
        (Funds(10000, 1), "partially_refunded"),
        (Funds(10000, 9999), "partially_refunded"),
        (Funds(10000, 10000), "refunded"),
        (Funds(5000, 5000), "refunded"),
        (Funds(10000, 0, is_disputed=True), "disputed"),
        (Funds(10000, 10000, is_disputed=True), "disputed"),
    ],
)
def test_payment_status_follows_from_the_funds(funds: Funds, status: str) -> None:
    assert funds.payment_status(10000) == status


def test_booking_that_costs_nothing_is_paid() -> None:
    assert Funds().payment_status(0) is PaymentStatus.PAID


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6), st.booleans())
def test_covers_exactly_what_stayed(captured: int, refunded: int, total: int, disputed: bool) -> None:
    funds = Funds(captured, refunded, is_disputed=disputed)
    assert funds.covers(total) == (captured - refunded >= total and not disputed)
