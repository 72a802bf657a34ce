"""What a change of a payment does to its booking (BK-7)."""

from dataclasses import replace

import pytest

from booking.domain.booking import Booking
from booking.domain.payments import Exclusion, Payment, PaymentFailed, PaymentRecorded, PaymentState
from booking.domain.settlement import RecordedPayment, record, settle, sum_funds, withdraw
from booking.domain.statuses import Status
from contracts.ids import BookingId
from contracts.money import Money

ID = BookingId("0198c5a0-0000-7000-8000-000000000001")
PENDING = Booking(id=ID, status=Status.PENDING, version=1, transitions=1, total=Money(5000, "USD"))
PAYMENT = Payment(
    provider="stripe",
    payment_id="pi_1",
    state=PaymentState.SUCCEEDED,
    booking_reference=ID,
    captured=Money(5000, "USD"),
    event_id="evt_1",
)
PAID = RecordedPayment(payment=PAYMENT, booking_id=ID, exclusion=None)
NO_MONEY = Money(0, "USD")


def attempt(state: PaymentState) -> RecordedPayment:
    return replace(PAID, payment=replace(PAYMENT, payment_id="pi_2", state=state, captured=NO_MONEY))


def test_payment_that_is_reported_again_changes_nothing() -> None:
    paid, events = settle(PENDING, [(None, PAID)], sum_funds([PAID]))
    assert (paid.status, len(events)) == (Status.CONFIRMED, 2)
    assert settle(paid, [(PAID, PAID)], sum_funds([PAID])) == (paid, ())


def test_gross_money_confirms_though_part_of_it_went_back() -> None:
    part_back = replace(PAID, payment=replace(PAYMENT, refunded=2000))
    booking, _ = settle(PENDING, [(None, part_back)], sum_funds([part_back]))
    assert (booking.status, booking.payment_status) == (Status.CONFIRMED, "partially_refunded")


def test_booking_that_was_set_back_to_pending_is_confirmed_by_new_money_alone() -> None:
    set_back = replace(PENDING, funds=sum_funds([PAID]))
    part_back = replace(PAID, payment=replace(PAYMENT, refunded=2000))
    back, events = settle(set_back, [(PAID, part_back)], sum_funds([part_back]))
    assert (back.status, [type(event) for event in events]) == (Status.PENDING, [PaymentRecorded])
    whole_again, _ = settle(back, [(part_back, PAID)], sum_funds([PAID]))
    assert (whole_again.status, whole_again.payment_status) == (Status.PENDING, "paid")
    second = replace(PAID, payment=replace(PAYMENT, payment_id="pi_2", captured=Money(100, "USD")))
    more, _ = settle(whole_again, [(None, second)], sum_funds([PAID, second]))
    assert more.status is Status.CONFIRMED


@pytest.mark.parametrize("state", [PaymentState.FAILED, PaymentState.CANCELED])
def test_failure_is_told_once_and_not_beside_paid_money(state: PaymentState) -> None:
    failed = attempt(state)
    booking, events = settle(PENDING, [(None, failed)], sum_funds([failed]))
    assert [type(event) for event in events] == [PaymentFailed]
    assert settle(booking, [(failed, failed)], sum_funds([failed])) == (booking, ())
    paid, _ = settle(PENDING, [(None, PAID)], sum_funds([PAID]))
    assert settle(paid, [(None, failed)], sum_funds([PAID, failed])) == (paid, ())


def test_attempt_that_is_under_way_is_no_event() -> None:
    pending = attempt(PaymentState.PENDING)
    assert settle(PENDING, [(None, pending)], sum_funds([pending])) == (PENDING, ())


def test_withdrawn_payment_takes_its_money_along_and_is_told() -> None:
    paid, _ = settle(PENDING, [(None, PAID)], sum_funds([PAID]))
    gone = withdraw(PAID)
    assert (gone.payment.state, gone.payment.held) == (PaymentState.CANCELED, 0)
    booking, events = settle(paid, [(PAID, gone)], sum_funds([]))
    assert booking.payment_status == "unpaid"
    assert isinstance(events[0], PaymentRecorded)
    assert events[0].paid_total == NO_MONEY


def test_cancelled_booking_keeps_money_that_counted_before() -> None:
    cancelled = replace(PENDING, status=Status.CANCELLED)
    late = record(PAYMENT, cancelled, ())
    kept = record(PAYMENT, cancelled, [PAID])
    assert late is not None
    assert kept is not None
    assert (late.exclusion, kept.exclusion) == (Exclusion.BOOKING_CANCELLED, None)
    assert settle(cancelled, [(None, late)], sum_funds([late])) == (cancelled, ())


def test_payment_of_another_currency_and_of_no_booking_do_not_count() -> None:
    euros = record(replace(PAYMENT, captured=Money(5000, "EUR")), PENDING, ())
    unknown = record(PAYMENT, None, ())
    nameless = record(replace(PAYMENT, booking_reference=None), None, ())
    assert [item and item.exclusion for item in (euros, unknown, nameless)] == [
        Exclusion.CURRENCY_MISMATCH,
        Exclusion.BOOKING_UNKNOWN,
        Exclusion.BOOKING_ID_MISSING,
    ]
    assert record(attempt(PaymentState.FAILED).payment, None, ()) is None
