"""The past of an imported booking: possible, and with the rows and facts of our own bookings (BK-15)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from booking.domain.derivation import derive_payments
from booking.domain.imports import (
    ImportedBooking,
    ImportRefusedError,
    PastPayment,
    PastRefund,
    PastStep,
    check_past,
)
from booking.domain.statuses import Status
from contracts.ids import BookingId
from contracts.money import Money
from unit.booking.test_changes import DETAILS

ID = BookingId("0198c5a0-0000-7000-8000-000000000001")
START = datetime(2026, 11, 24, tzinfo=UTC)
NOW = START + timedelta(days=9)


def past(*steps: Status) -> tuple[PastStep, ...]:
    return tuple(
        PastStep(to=status, at=START + timedelta(days=day), by="ada", reason=None)
        for day, status in enumerate(steps)
    )


HISTORY = past(Status.PENDING, Status.CONFIRMED, Status.PENDING, Status.CONFIRMED, Status.COMPLETED)
PAYMENT = PastPayment(
    provider="stripe",
    id="pi_1",
    captured=Money(5000, "USD"),
    at=START,
    refunds=(PastRefund(id="re_1", amount=5000, at=START),),
)
IMPORTED = ImportedBooking(
    id=ID,
    external_id="7",
    details=DETAILS,
    total=Money(5000, "USD"),
    pricing=None,
    history=HISTORY,
    payments=(PAYMENT,),
)


def test_possible_past_is_accepted() -> None:
    check_past(HISTORY, [PAYMENT], NOW)


@pytest.mark.parametrize(
    ("history", "refund", "words"),
    [
        (past(Status.CONFIRMED), 0, "begins with pending"),
        (past(Status.PENDING, Status.COMPLETED), 0, "history.1.to_status: pending cannot become completed"),
        ((HISTORY[0], replace(HISTORY[1], at=START - timedelta(days=1))), 0, "history.1.at: earlier"),
        ((replace(HISTORY[0], at=NOW + timedelta(days=1)),), 0, "history.0.at: lies in the future"),
        (HISTORY, 5001, "payments.0.refunds: more than was captured"),
    ],
)
def test_impossible_past_is_refused_by_its_field(
    history: tuple[PastStep, ...], refund: int, words: str
) -> None:
    payment = replace(PAYMENT, refunds=(PastRefund(id="re_1", amount=refund, at=START),))
    with pytest.raises(ImportRefusedError, match=words):
        check_past(history, [payment], NOW)


def test_history_is_marked_as_imported_and_has_no_gap() -> None:
    rows = IMPORTED.transitions()
    assert [(row.version, row.sequence) for row in rows] == [(n, n) for n in range(1, 6)]
    assert [row.from_status for row in rows] == [None, *(row.to_status for row in rows[:-1])]
    assert {row.changed_by for row in rows} == {"import:ada"}


def test_last_confirmation_counts_and_a_pending_booking_has_none() -> None:
    assert (IMPORTED.status, IMPORTED.confirmed_at) == (Status.COMPLETED, HISTORY[3].at)
    assert replace(IMPORTED, history=HISTORY[:3]).confirmed_at is None


def test_payments_become_facts_under_their_own_ids() -> None:
    [payment] = derive_payments(IMPORTED.facts())
    assert (payment.payment_id, payment.booking_reference) == ("pi_1", ID)
    assert (payment.captured.amount, payment.refunded) == (5000, 5000)
