"""Findings that may pass by themselves wait; settled money and wrong prices never do (REC-8)."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from reconciler.domain.bookings import StoredBooking
from reconciler.domain.charges import MONEY_PENDING_MAX
from reconciler.domain.evaluate import Evaluation
from unit.reconciler.stored_bookings import NOW, PRICE, booking, evaluated

UNPAID: dict[str, Any] = {"captured": 0, "held": 0, "charge_count": 0, "payment_currencies": ()}
LONG_AGO = NOW - timedelta(days=30)
NEVER = timedelta(days=365)

amounts = st.sampled_from([0, 1, PRICE - 500, PRICE, PRICE + 1, PRICE + 500, 2 * PRICE, 3 * PRICE])
stored_bookings = st.builds(
    booking,
    status=st.sampled_from(["confirmed", "in_progress", "completed", "cancelled"]),
    cancelled_at=st.sampled_from([NOW, LONG_AGO]),
    due_at=st.sampled_from([NOW, LONG_AGO]),
    total=amounts,
    captured=amounts,
    refunded=amounts,
    lost=amounts,
    disputed=amounts,
    held=amounts,
    refund_pending=amounts,
    charge_count=st.integers(0, 3),
    payment_currencies=st.sampled_from([(), ("USD",), ("EUR",), ("EUR", "USD")]),
    pending_payments=st.integers(0, 1),
    money_changed_at=st.sampled_from([None, NOW, NOW - timedelta(hours=1), LONG_AGO]),
    open_anomalies=st.integers(0, 2),
)


def settled(stored: StoredBooking) -> StoredBooking:
    return replace(stored, refund_pending=0, pending_payments=0, money_changed_at=LONG_AGO, due_at=LONG_AGO)


def waiting_of(evaluation: Evaluation) -> set[str | None]:
    held = [] if evaluation.held is None else [evaluation.held.waiting]
    return {*(finding.waiting for finding in evaluation.findings), *held}


@settings(deadline=None)
@given(stored_bookings)
def test_settled_money_never_waits(stored: StoredBooking) -> None:
    evaluation = evaluated(replace(settled(stored), cancelled_at=LONG_AGO))
    assert waiting_of(evaluation) <= {None}
    assert evaluation.outcome in {"clean", "drifted"}


@settings(deadline=None)
@given(stored_bookings)
def test_outcome_follows_from_what_the_findings_wait_for(stored: StoredBooking) -> None:
    evaluation = evaluated(stored)
    waiting = waiting_of(evaluation)
    if None in waiting:
        assert evaluation.outcome == "drifted"
    elif waiting & {"refund", "money"}:
        assert evaluation.outcome == "skipped"
    else:
        assert evaluation.outcome == "clean"


@settings(deadline=None)
@given(stored_bookings)
def test_waiting_changes_no_finding_but_its_urgency(stored: StoredBooking) -> None:
    def kinds(evaluation: Evaluation) -> list[str]:
        return [finding.kind for finding in evaluation.findings]

    later = evaluated(replace(stored, pending_payments=0, money_changed_at=LONG_AGO, due_at=LONG_AGO))
    assert kinds(evaluated(stored)) == kinds(later)


@settings(deadline=None)
@given(stored_bookings)
def test_wrong_price_never_waits(stored: StoredBooking) -> None:
    for finding in evaluated(stored).findings:
        if finding.kind in {"engine_drift", "snapshot_corrupt", "all_differ", "currency_mismatch"}:
            assert finding.waiting is None


@pytest.mark.parametrize(
    ("fields", "waiting"),
    [
        ({"captured": PRICE - 500, "pending_payments": 1}, "money"),
        ({"captured": PRICE + 500, "pending_payments": 1}, None),
        (
            {"captured": PRICE - 500, "pending_payments": 1, "money_changed_at": NOW - MONEY_PENDING_MAX},
            "money",
        ),
        (
            {
                "captured": PRICE - 500,
                "pending_payments": 1,
                "money_changed_at": NOW - MONEY_PENDING_MAX - timedelta(seconds=1),
            },
            None,
        ),
        ({"captured": PRICE + 500, "money_changed_at": NOW}, None),
        ({"captured": PRICE + 500, "money_changed_at": None}, None),
        ({"captured": PRICE, "refunded": 500, "refund_pending": 500}, "refund"),
        ({"captured": PRICE, "refunded": 500, "refund_pending": 400}, None),
        ({"captured": 3 * PRICE, "refunded": PRICE, "refund_pending": PRICE, "charge_count": 3}, None),
        ({**UNPAID, "due_at": NOW, "pending_payments": 1}, "first_charge"),
    ],
)
def test_difference_waits_for_what_may_end_it(fields: dict[str, Any], waiting: str | None) -> None:
    assert waiting_of(evaluated(booking(**fields))) == {waiting}


def test_refund_that_makes_it_right_is_no_finding_while_it_is_on_its_way() -> None:
    twice = booking(captured=2 * PRICE, refunded=PRICE, refund_pending=PRICE, charge_count=2)
    assert evaluated(twice) == replace(evaluated(twice), outcome="clean", findings=())


def test_lost_dispute_alone_is_no_second_alarm() -> None:
    lost = booking(captured=PRICE, refunded=PRICE, lost=PRICE)
    assert evaluated(lost).outcome == "clean"
    [finding] = evaluated(
        replace(lost, captured=PRICE + 500, counted_captured=PRICE + 500, kept_captured=PRICE + 500)
    ).findings
    assert (finding.kind, finding.amount) == ("charge_mismatch", 500)
    assert evaluated(lost).amounts == replace(evaluated(booking()).amounts, charged=0)  # type: ignore[type-var]
