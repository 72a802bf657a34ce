import json

from contracts.money import Money
from reconciler.domain.findings import (
    Finding,
    finding_of_price,
    identity_conflict,
    payment_anomaly,
)
from unit.reconciler.stored_bookings import PRICE, booking, evaluated


def finding(total: int, captured: int = PRICE) -> Finding:
    [finding] = evaluated(booking(total=total, captured=captured)).findings
    return finding_of_price(finding)


def anomaly(payment_id: str, explanation: str = "") -> Finding:
    return payment_anomaly(
        booking_id=None,
        kind="booking_unknown",
        provider="stripe",
        payment_id=payment_id,
        captured=Money(500, "USD"),
        explanation=explanation,
    )


def test_same_drift_again_is_the_same_in_everything() -> None:
    assert finding(15000) == finding(15000)
    assert finding(15000).difference == finding(15000).difference


def test_changed_drift_is_the_same_problem_with_another_difference() -> None:
    before, after = finding(15000), finding(16000)
    assert before.fingerprint == after.fingerprint
    assert before.difference != after.difference


def test_problems_of_two_types_of_one_booking_have_two_fingerprints() -> None:
    evaluation = evaluated(booking(total=PRICE + 700, captured=2 * PRICE, charge_count=2))
    fingerprints = {finding_of_price(finding).fingerprint for finding in evaluation.findings}
    assert len(fingerprints) == 2


def test_explanation_has_lines_that_add_up_and_the_three_totals() -> None:
    explanation = json.loads(json.dumps(finding(15000).explanation))
    assert explanation["totals"] == {"snapshot": 15000, "recomputed": PRICE, "charged": PRICE}
    assert explanation["drift"] == PRICE - 15000
    assert sum(line["difference"] for line in explanation["lines"]) == explanation["drift"]


def test_two_payments_are_two_anomalies() -> None:
    assert anomaly("pi_1").fingerprint != anomaly("pi_2").fingerprint
    assert anomaly("pi_1").fingerprint == anomaly("pi_1", "said otherwise").fingerprint


def test_conflict_names_the_event_and_both_digests() -> None:
    conflict = identity_conflict(source="stripe", event_id="evt_1", first_sha256="aa", second_sha256="bb")
    assert "evt_1" in conflict.title
    assert conflict.explanation["first_body_sha256"] == "aa"
