from datetime import timedelta
from typing import Any

import pytest

from reconciler.domain.classify import DriftClass, Severity, drift_class, severity_of
from reconciler.domain.rules import Rules
from unit.reconciler.stored_bookings import NOW, PRICE, RULES, booking, damaged, evaluated, request

HOUR = timedelta(hours=1)


def only_finding(**fields: Any) -> Any:
    findings = evaluated(booking(**fields)).findings
    assert len(findings) == 1, findings
    return findings[0]


def test_booking_paid_as_priced_is_clean() -> None:
    evaluation = evaluated(booking())
    assert evaluation.outcome == "clean"
    assert evaluation.findings == ()
    assert evaluation.amounts is not None
    assert (evaluation.amounts.snapshot, evaluation.amounts.recomputed) == (PRICE, PRICE)
    assert evaluation.amounts.charged == PRICE


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"pricing": None}, "pricing"),
        ({"pricing": None, "status": "in_progress"}, "pricing"),
        ({"pricing": "null"}, "snapshot"),
        ({"pricing": "{}"}, "snapshot"),
        ({"pricing": "[1]"}, "snapshot"),
        ({"status": "paid"}, "status"),
        ({"contradictory_payments": 1}, "payments"),
        ({"due_at": NOW + timedelta(days=400), "captured": 0, "charge_count": 0}, "confirmed_at"),
        ({"status": "cancelled", "cancelled_at": None}, "cancelled_at"),
        ({"status": "cancelled", "cancelled_at": NOW + timedelta(days=400), "held": 1}, "cancelled_at"),
    ],
)
def test_booking_that_cannot_be_evaluated_is_an_error_that_names_the_cause(
    fields: dict[str, Any], name: str
) -> None:
    with pytest.raises(ValueError, match=f"^{name}"):
        evaluated(booking(**fields))


def test_cancelled_booking_that_holds_money_is_found_after_the_grace_time_whatever_its_price() -> None:
    def cancelled(before: timedelta, **fields: Any) -> Any:
        return evaluated(booking(status="cancelled", pricing="{}", cancelled_at=NOW - before, **fields))

    waiting, overdue = cancelled(24 * HOUR), cancelled(25 * HOUR, refunded=200, held=PRICE - 200)
    assert (waiting.outcome, waiting.held.waiting, waiting.held.held) == ("skipped", "refund", PRICE)
    assert (overdue.outcome, overdue.findings, overdue.amounts) == ("drifted", (), None)
    assert (overdue.held.held, overdue.held.waiting) == (PRICE - 200, None)
    refunded = cancelled(25 * HOUR, refunded=PRICE, held=0)
    assert (refunded.outcome, refunded.held) == ("clean", None)


@pytest.mark.parametrize(
    ("stored", "recomputed", "charged", "expected"),
    [
        (100, 100, 100, None),
        (100, 101, 100, None),
        (101, 100, 100, None),
        (100, 102, 100, "engine_drift"),
        (100, 100, 102, "charge_mismatch"),
        (100, 100, 98, "charge_mismatch"),
        (100, 100, 101, None),
        (102, 100, 100, "snapshot_corrupt"),
        (98, 100, 100, "snapshot_corrupt"),
        (100, 200, 300, "all_differ"),
        (100, 200, 0, "all_differ"),
        (0, 0, 0, None),
    ],
)
def test_three_figures_name_the_one_that_stands_alone(
    stored: int, recomputed: int, charged: int, expected: DriftClass | None
) -> None:
    assert drift_class(stored, recomputed, charged, coherent=True, drift_min=2) == expected


@pytest.mark.parametrize(("coherent", "expected"), [(True, "engine_drift"), (False, "snapshot_corrupt")])
def test_nothing_charged_leaves_the_decision_to_coherence(coherent: bool, expected: DriftClass) -> None:
    assert drift_class(100, 200, None, coherent=coherent, drift_min=2) == expected
    assert drift_class(100, 101, None, coherent=coherent, drift_min=2) is None


@pytest.mark.parametrize(
    ("size", "severity"),
    [
        (2, "low"),
        (100, "low"),
        (101, "medium"),
        (1000, "medium"),
        (1001, "high"),
        (-1001, "high"),
        (-100, "low"),
    ],
)
def test_severity_begins_above_its_bound(size: int, severity: Severity) -> None:
    assert severity_of(size, "USD") == severity


@pytest.mark.parametrize(
    ("size", "currency", "severity"),
    [
        (1, "JPY", "low"),
        (2, "JPY", "medium"),
        (11, "JPY", "high"),
        (1000, "KWD", "low"),
        (10_000, "KWD", "medium"),
        (10_001, "KWD", "high"),
        (1, "QQQ", "high"),
    ],
)
def test_severity_counts_units_of_the_currency(size: int, currency: str, severity: Severity) -> None:
    assert severity_of(size, currency) == severity


def test_drift_begins_at_hundredths_of_the_currencys_unit() -> None:
    assert [RULES.in_minor_units(currency).drift_min for currency in ("USD", "JPY", "KWD")] == [2, 1, 20]


@pytest.mark.parametrize("difference", [-1, 1])
def test_one_cent_is_no_drift(difference: int) -> None:
    assert evaluated(booking(total=PRICE + difference)).outcome == "clean"
    assert evaluated(booking(captured=PRICE + difference)).outcome == "clean"


@pytest.mark.parametrize("difference", [-1001, -2, 2, 101, 1001])
def test_wrong_stored_total_is_a_corrupt_snapshot(difference: int) -> None:
    finding = only_finding(total=PRICE + difference)
    assert (finding.type, finding.drift_class) == ("pricing_drift", "snapshot_corrupt")
    assert finding.drift == -difference
    assert finding.severity == severity_of(difference, "USD")
    assert sum(line.difference for line in finding.lines) == finding.drift


def test_threshold_is_configurable() -> None:
    strict = Rules(drift_min=1, grace=RULES.grace)
    assert evaluated(booking(total=PRICE + 1), strict).outcome == "drifted"
    lax = Rules(drift_min=500, grace=RULES.grace)
    assert evaluated(booking(total=PRICE + 499), lax).outcome == "clean"


def test_changed_input_that_was_charged_as_stored_is_engine_drift() -> None:
    def four_pets(pricing: dict[str, Any]) -> None:
        pricing["inputs"]["pets"] = 4

    findings = evaluated(damaged(booking(), four_pets)).findings
    assert [finding.drift_class for finding in findings] == ["engine_drift"]
    assert findings[0].drift == 1500
    assert sum(line.difference for line in findings[0].lines) == 1500


@pytest.mark.parametrize("captured", [PRICE - 500, PRICE + 500, 0])
def test_charge_that_is_not_the_price_is_a_charge_mismatch(captured: int) -> None:
    finding = only_finding(captured=captured)
    assert (finding.type, finding.drift_class) == ("pricing_drift", "charge_mismatch")
    assert (finding.drift, finding.charge_difference) == (0, captured - PRICE)


def test_refund_counts_against_what_was_charged() -> None:
    finding = only_finding(captured=PRICE, refunded=PRICE)
    assert (finding.drift_class, finding.charged) == ("charge_mismatch", 0)
    assert evaluated(booking(captured=2 * PRICE, refunded=PRICE, charge_count=2)).outcome == "clean"


UNPAID: dict[str, Any] = {
    "captured": 0,
    "charge_count": 0,
    "payment_currencies": (),
    "money_changed_at": None,
}


@pytest.mark.parametrize(
    ("since_due", "waiting", "outcome"),
    [(24 * HOUR, "first_charge", "clean"), (24.01 * HOUR, None, "drifted")],
)
def test_first_charge_has_the_grace_time(since_due: timedelta, waiting: str | None, outcome: str) -> None:
    evaluation = evaluated(booking(**UNPAID, due_at=NOW - since_due))
    [finding] = evaluation.findings
    assert (evaluation.outcome, finding.type, finding.waiting) == (outcome, "not_charged", waiting)
    assert (finding.severity, finding.charged, finding.amount) == ("high", None, -PRICE)


def test_free_booking_needs_no_charge() -> None:
    def given_away(pricing: dict[str, Any]) -> None:
        pricing["override"] = {"before": PRICE, "after": 0, "reason": "gift", "actor": "system"}
        pricing["line_items"].append(
            {
                "code": "override",
                "description": "Agreed price",
                "quantity": 1,
                "unit_amount": -PRICE,
                "amount": -PRICE,
            }
        )
        pricing["total"] = 0

    free = damaged(booking(total=0, captured=0, charge_count=0, payment_currencies=()), given_away)
    assert evaluated(free).outcome == "clean"


def test_unpaid_booking_with_corrupt_price_is_found_within_the_grace_time() -> None:
    evaluation = evaluated(booking(**UNPAID, total=PRICE + 900, due_at=NOW - HOUR))
    found = [(finding.kind, finding.waiting) for finding in evaluation.findings]
    assert found == [("not_charged", "first_charge"), ("snapshot_corrupt", None)]
    assert evaluation.outcome == "drifted"


def test_price_paid_twice_is_a_duplicate_charge_and_no_second_finding() -> None:
    finding = only_finding(captured=2 * PRICE, charge_count=2)
    assert (finding.type, finding.severity, finding.charge_difference) == ("duplicate_charge", "high", PRICE)


def test_surplus_of_less_than_a_price_is_a_charge_mismatch() -> None:
    assert only_finding(captured=PRICE + 5000, charge_count=2).drift_class == "charge_mismatch"
    assert only_finding(captured=2 * PRICE, charge_count=1).drift_class == "charge_mismatch"


def test_price_paid_in_two_parts_is_clean() -> None:
    assert evaluated(booking(charge_count=2)).outcome == "clean"


def test_duplicate_charge_of_a_corrupt_price_is_both() -> None:
    evaluation = evaluated(booking(total=PRICE + 700, captured=2 * PRICE, charge_count=2))
    assert [finding.type for finding in evaluation.findings] == ["duplicate_charge", "pricing_drift"]


def test_payment_in_another_currency_is_a_currency_mismatch() -> None:
    finding = only_finding(captured=0, payment_currencies=("EUR",))
    assert (finding.type, finding.charged) == ("currency_mismatch", None)
    assert "EUR" in finding.remarks[0]


def test_own_payment_beside_a_foreign_one_is_still_compared() -> None:
    both = booking(captured=PRICE - 300, charge_count=2, payment_currencies=("EUR", "USD"))
    assert [finding.type for finding in evaluated(both).findings] == ["currency_mismatch", "pricing_drift"]


@pytest.mark.parametrize("where", ["booking", "snapshot"])
def test_changed_currency_is_a_currency_mismatch(where: str) -> None:
    def to_euro(pricing: dict[str, Any]) -> None:
        pricing["currency"] = "EUR"

    stored = booking(currency="EUR") if where == "booking" else damaged(booking(), to_euro)
    evaluation = evaluated(stored)
    assert [finding.type for finding in evaluation.findings] == ["currency_mismatch"]
    assert evaluation.amounts is None


def test_title_says_the_amounts() -> None:
    assert (
        only_finding(total=15000).title
        == "Stored price 150.00 USD, recomputed 132.00 USD, charged 132.00 USD"
    )
    assert only_finding(captured=5000).title == "Price 132.00 USD, charged 50.00 USD"


def test_every_service_priced_by_the_engine_is_clean() -> None:
    for service in ("drop-in", "dog-walking", "pet-taxi", "housesitting", "24-7-care"):
        assert evaluated(booking(request(service=service))).outcome == "clean"
