"""The checks at the end of the demo: each kind of problem is reported."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from plumbline.demo.day import BOOKINGS, EXPECTED_STATES, BookingState, Fate, plan
from plumbline.demo.outcome import Outcome, problems
from plumbline.demo.play import PlayedBooking
from plumbline.demo.senders import Sent

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
PAID = PlayedBooking(next(b for b in plan(NOW) if b.fate is Fate.PAID), "b-paid", 2000, "USD")
CANCELLED = PlayedBooking(
    next(b for b in plan(NOW) if b.fate is Fate.PAID_AFTER_CANCELLATION), "b-cancelled", 2000, "USD"
)
BOOKED = [PAID, CANCELLED]
SENT = [
    Sent("Stripe: payment", "stripe", "evt_1", 200, genuine=True),
    Sent("Stripe: the same event again", "stripe", "evt_1", 200, genuine=True),
    Sent("Stripe: forged", "stripe", "evt_2", 401, genuine=False),
]


def entry(event_type: str, source: str, event_id: str) -> dict[str, Any]:
    return {"event_type": event_type, "source": source, "event_id": event_id}


def exception(kind: str, booking_id: str) -> dict[str, Any]:
    return {"type": kind, "booking_id": booking_id}


UNPAID = BookingState("cancelled", "unpaid")

GOOD = Outcome(
    entries=[
        entry("stripe.payment_intent.succeeded", "stripe", "evt_1"),
        entry("webhook.validation.failed", "webhook-gateway", "r-1"),
    ],
    states={"b-paid": BookingState("confirmed", "paid"), "b-cancelled": UNPAID},
    payments={"b-paid": [{"provider": "stripe"}]},
    history={},
    exceptions={
        "exceptions": [exception("pricing_drift", "b-paid"), exception("payment_anomaly", "b-cancelled")]
    },
    run={"status": "completed"},
    history_safe=True,
)


def problem_lines(outcome: Outcome, sent: list[Sent] = SENT) -> list[str]:
    return problems(sent, BOOKED, ["b-paid"], outcome)


def test_good_day_has_no_problems() -> None:
    assert problem_lines(GOOD) == []


@pytest.mark.parametrize(
    ("outcome", "problem"),
    [
        (replace(GOOD, entries=GOOD.entries[1:]), "0 times"),
        (replace(GOOD, entries=[GOOD.entries[0], *GOOD.entries]), "2 times"),
        (replace(GOOD, entries=GOOD.entries[:1]), "1 refusals, 0"),
        (
            replace(GOOD, entries=[*GOOD.entries, entry("stripe.x", "stripe", "evt_2")]),
            "was refused and is in the EventLog",
        ),
        (
            replace(GOOD, states={**GOOD.states, "b-paid": BookingState("pending", "unpaid")}),
            "is pending and unpaid, expected confirmed and paid",
        ),
        (
            replace(GOOD, states={**GOOD.states, "b-cancelled": BookingState("cancelled", "paid")}),
            "expected cancelled and unpaid",
        ),
        (replace(GOOD, payments={"b-paid": GOOD.payments["b-paid"] * 2}), "has 2 payments"),
        (replace(GOOD, exceptions={"exceptions": GOOD.exceptions["exceptions"][1:]}), "was not found"),
        (
            replace(GOOD, exceptions={"exceptions": [*GOOD.exceptions["exceptions"], exception("x", "b")]}),
            "unexpected exception",
        ),
        (
            replace(GOOD, exceptions={"exceptions": GOOD.exceptions["exceptions"] * 2}),
            "was opened 2 times",
        ),
        (replace(GOOD, run={"status": "failed"}), "run is failed"),
        (replace(GOOD, history_safe=False), "rewrite a booking's history"),
    ],
)
def test_problem_is_reported(outcome: Outcome, problem: str) -> None:
    assert [line for line in problem_lines(outcome) if problem in line]


def test_forged_delivery_that_was_accepted_is_reported() -> None:
    accepted = [replace(SENT[2], status=200)]
    assert [line for line in problem_lines(GOOD, SENT[:2] + accepted) if "expected 401" in line]


def test_genuine_delivery_that_was_refused_is_reported() -> None:
    refused = [replace(SENT[0], status=503)]
    assert [line for line in problem_lines(GOOD, refused) if "expected 200" in line]


def test_plan_has_every_service_and_every_fate() -> None:
    day = plan(NOW)
    assert len(day) == BOOKINGS
    assert {booking.fate for booking in day} == set(Fate) == set(EXPECTED_STATES)
    assert len({booking.request["service"] for booking in day}) == 5
    assert [booking.request for booking in plan(NOW)] == [booking.request for booking in day]
