"""Explanations: lines that add up, a sentence with amounts, a step that is suggested (REC-6)."""

import json
from collections.abc import Iterator
from typing import Any, get_args

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.domain.bookings import StoredBooking
from reconciler.domain.causes import Cause, Waiting
from reconciler.domain.classify import DriftClass
from reconciler.domain.evaluate import evaluate
from reconciler.domain.findings import (
    EXCEPTION_TYPES,
    Finding,
    cancelled_but_paid,
    finding_of_price,
    not_evaluable,
)
from reconciler.domain.meanings import MEANINGS, WAITING, Step
from reconciler.domain.obstacles import NotEvaluableError, Obstacle, record_error
from unit.reconciler.stored_bookings import NOW, PRICE, RULES, booking, damaged, evaluated
from unit.reconciler.test_waiting import stored_bookings


def findings_of(stored: StoredBooking) -> list[Finding]:
    try:
        evaluation = evaluate(stored, RULES, as_of=NOW)
    except NotEvaluableError as error:
        return [not_evaluable(record_error(stored.booking_id, error))]
    held = [] if evaluation.held is None else [cancelled_but_paid(evaluation.held)]
    return [*map(finding_of_price, evaluation.findings), *held]


def damages(place: Any) -> Iterator[tuple[Any, Any]]:
    """Return each place of a snapshot, as the container and the key in it."""
    keys: list[Any] = list(place) if isinstance(place, dict) else list(range(len(place)))  # type: ignore[arg-type]
    for key in keys:
        yield place, key
        if isinstance(place[key], (dict, list)):
            yield from damages(place[key])


values: st.SearchStrategy[Any] = st.sampled_from(
    [None, -1, 0, 1, 99, 2**63, 10**400, "", "EUR", "x" * 300, [], {}, True, 0.5]
)


@settings(deadline=None, max_examples=300)
@given(stored_bookings, values, st.data())
def test_any_damage_is_explained_and_every_explanation_adds_up(
    stored: StoredBooking, value: object, data: st.DataObject
) -> None:
    def damage(pricing: dict[str, Any]) -> None:
        place, key = data.draw(st.sampled_from(list(damages(pricing))))
        place[key] = value

    for finding in findings_of(damaged(stored, damage)):
        explanation = json.loads(json.dumps(finding.explanation))
        totals = explanation["totals"]
        if totals["snapshot"] is not None:
            assert explanation["drift"] == totals["recomputed"] - totals["snapshot"]
            assert sum(line["difference"] for line in explanation["lines"]) == explanation["drift"]
        else:
            assert explanation["lines"] == []
        assert explanation["sentence"].endswith(".")
        assert "\n" not in explanation["sentence"]
        assert explanation["suggestion"]["step"] in get_args(Step)
        assert explanation["meaning"]


def test_every_kind_of_finding_has_one_meaning() -> None:
    kinds = {*get_args(DriftClass), *EXCEPTION_TYPES, *get_args(Obstacle)}
    assert set(MEANINGS) == kinds - {"pricing_drift", "not_evaluable"}
    assert set(WAITING) == set(get_args(Waiting))


def test_finding_that_waits_suggests_to_wait() -> None:
    unpaid = booking(captured=0, charge_count=0, payment_currencies=(), due_at=NOW)
    [finding] = findings_of(unpaid)
    assert (finding.waiting, finding.explanation["suggestion"]["step"]) == ("first_charge", "wait")
    assert finding.title == "Price 132.00 USD, nothing charged yet"


def test_finding_has_amount_currency_and_cause() -> None:
    def four_pets(pricing: dict[str, Any]) -> None:
        pricing["inputs"]["pets"] = 4

    [drift] = findings_of(damaged(booking(), four_pets))
    assert (drift.currency, drift.amount) == ("USD", 1500)
    assert drift.cause == Cause("extra_pet", "default/2025-01", "1")
    assert (drift.explanation["rate_card"], drift.explanation["engine_version"]) == ("default/2025-01", 1)
    [charge] = findings_of(booking(captured=PRICE - 700))
    assert (charge.amount, charge.cause) == (-700, Cause(None, "default/2025-01", "1"))
    [currency] = findings_of(booking(currency="EUR"))
    assert (currency.amount, currency.explanation["drift"]) == (None, None)


def test_damaged_lines_with_right_totals_say_which() -> None:
    def one_up_one_down(pricing: dict[str, Any]) -> None:
        pricing["line_items"][0]["amount"] += 300
        pricing["line_items"][1]["amount"] -= 300

    [finding] = findings_of(damaged(booking(), one_up_one_down))
    assert (finding.drift_class, finding.amount) == ("snapshot_corrupt", 300)
    assert finding.explanation["sentence"] == (
        "The stored total 132.00 USD is right, but not its lines:"
        " line visit: stored 2 x 20.00 USD = 43.00 USD, recomputed 2 x 20.00 USD = 40.00 USD, and 1 more."
    )


def test_money_beside_the_charge_is_told() -> None:
    [finding] = findings_of(
        booking(captured=2 * PRICE, refunded=700, lost=500, disputed=300, open_anomalies=2)
    )
    assert finding.explanation["sentence"] == (
        "The price is 132.00 USD, and 262.00 USD was charged (264.00 USD captured, 2.00 USD refunded):"
        " 130.00 USD is too much. 3.00 USD is held back by an open dispute and counts as charged."
        " 5.00 USD was lost in a dispute, which has its own exception, and counts as charged."
        " Payments of this booking have 2 open exceptions of their own."
    )


def test_cancelled_booking_says_what_is_on_its_way_and_what_is_held_back() -> None:
    cancelled = booking(
        status="cancelled", cancelled_at=NOW, refunded=700, held=PRICE - 700, refund_pending=700, disputed=100
    )
    [finding] = findings_of(cancelled)
    assert finding.explanation["sentence"] == (
        "The booking was cancelled on 2026-11-20 08:00 UTC and holds 125.00 USD of the 132.00 USD that was"
        " captured. A refund of 7.00 USD is on its way. 1.00 USD of it is held back by an open dispute."
    )


def test_three_prices_in_three_currencies_are_named() -> None:
    assert evaluated(booking(currency="EUR")).amounts is None
    [finding] = findings_of(booking(currency="EUR"))
    assert finding.explanation["sentence"] == (
        "The booking is in EUR, its snapshot in USD and its rate card in USD."
    )
