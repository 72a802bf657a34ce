"""Bookings from whose stored values nothing follows: each with its reason (REC-12)."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from reconciler.domain.causes import Cause
from reconciler.domain.findings import not_evaluable
from reconciler.domain.meanings import MEANINGS
from reconciler.domain.obstacles import Errored, NotEvaluableError, Obstacle, record_error
from unit.reconciler.stored_bookings import NOW, PRICE, booking, damaged, evaluated

LATER = NOW + timedelta(days=400)


def obstacle_of(**fields: Any) -> NotEvaluableError:
    with pytest.raises(NotEvaluableError) as raised:
        evaluated(booking(**fields))
    return raised.value


@pytest.mark.parametrize(
    ("fields", "obstacle", "message"),
    [
        (
            {"status": "pending", "history_status": "confirmed"},
            "history_disagrees",
            "status: the booking says 'pending', its history ends with 'confirmed'",
        ),
        (
            {"status": "cancelled", "history_status": None},
            "history_disagrees",
            "status: the booking says 'cancelled', its history is empty",
        ),
        ({"status": "paid"}, "status_unknown", "status: 'paid' is none that a booking can have"),
        ({"status": "pending"}, "status_unknown", "status: 'pending' is none that a run evaluates"),
        (
            {"kept_captured": PRICE + 1},
            "sums_disagree",
            "sums: the booking says 132.01 USD captured and 0.00 USD refunded, its payments 132.00 USD",
        ),
        (
            {"kept_refunded": 500},
            "sums_disagree",
            "sums: the booking says 132.00 USD captured and 5.00 USD refunded, its payments 132.00 USD",
        ),
        (
            {"payment_status": "unpaid"},
            "payment_status_disagrees",
            "payment_status: the booking says 'unpaid', its payments make it 'paid'",
        ),
        (
            {"payment_status": "paid", "disputed": PRICE},
            "payment_status_disagrees",
            "payment_status: the booking says 'paid', its payments make it 'disputed'",
        ),
        ({"contradictory_payments": 1}, "payments_impossible", "payments: "),
        ({"pricing": None}, "snapshot_missing", "pricing: a booking that is confirmed has no snapshot"),
        ({"pricing": "{]"}, "snapshot_unreadable", "snapshot: no JSON: "),
        ({"pricing": "9" * 5000}, "snapshot_unreadable", "snapshot: no JSON: Exceeds the limit"),
        ({"pricing": "null"}, "snapshot_unreadable", "snapshot: "),
        ({"pricing": "[1]"}, "snapshot_unreadable", "snapshot: "),
        ({"pricing": "{}"}, "snapshot_unreadable", "snapshot: "),
        ({"due_at": LATER}, "time_impossible", "confirmed_at: "),
        ({"status": "cancelled"}, "time_impossible", "cancelled_at: it is not known"),
        ({"status": "cancelled", "cancelled_at": LATER}, "time_impossible", "cancelled_at: 2027-"),
    ],
)
def test_reason_says_what_disagrees_with_what(
    fields: dict[str, Any], obstacle: Obstacle, message: str
) -> None:
    error = obstacle_of(**fields)
    assert error.obstacle == obstacle
    assert str(error).startswith(message)


def _version(pricing: dict[str, Any]) -> None:
    pricing["rate_card"]["version"] = "1999-01"


def _engine(pricing: dict[str, Any]) -> None:
    pricing["engine_version"] = 99


def _service(pricing: dict[str, Any]) -> None:
    pricing["inputs"]["service"] = "hairdressing"


def _beyond_64_bits(pricing: dict[str, Any]) -> None:
    pricing["total"] = 2**63


def _nights_without_end(pricing: dict[str, Any]) -> None:
    pricing["inputs"]["ends_local"] = "2090-11-10T15:00:00-06:00"


@pytest.mark.parametrize(
    ("damage", "obstacle", "cause"),
    [
        (_version, "version_unknown", Cause(rate_card="default/1999-01", engine="1")),
        (_engine, "version_unknown", Cause(rate_card="default/2025-01", engine="99")),
        (_service, "version_unknown", Cause(rate_card="default/2025-01", engine="1")),
        (_beyond_64_bits, "snapshot_unreadable", Cause()),
        (_nights_without_end, "snapshot_unreadable", Cause()),
    ],
)
def test_snapshot_that_cannot_be_recomputed_names_its_versions(
    damage: Callable[[dict[str, Any]], None], obstacle: Obstacle, cause: Cause
) -> None:
    with pytest.raises(NotEvaluableError) as raised:
        evaluated(damaged(booking(), damage))
    assert (raised.value.obstacle, raised.value.cause) == (obstacle, cause)


def test_finding_carries_reason_amount_and_advice() -> None:
    error = record_error("b", obstacle_of(kept_captured=PRICE + 700))
    finding = not_evaluable(error)
    assert (finding.severity, finding.currency, finding.amount) == ("high", "USD", -700)
    assert finding.explanation["sentence"].startswith(
        "The booking cannot be compared. Its sums: the booking says 139.00"
    )
    assert finding.explanation["meaning"] == MEANINGS["sums_disagree"].meaning
    assert finding.explanation["suggestion"]["step"] == "restore_row"


def test_error_that_nobody_thought_of_is_recorded_as_one_line() -> None:
    error = record_error("b", RuntimeError("two\nlines \x00 " + "x" * 1000))
    assert error == Errored("b", error.error, "unexpected_error")
    assert error.error.startswith("RuntimeError: two lines")
    assert "\x00" not in error.error
    assert len(error.error) <= 500


def test_wrong_sums_are_a_remark_of_what_else_is_wrong_and_nothing_waits_for_them() -> None:
    short = booking(kept_captured=PRICE + 700, captured=PRICE - 500, pending_payments=1, money_changed_at=NOW)
    [finding] = evaluated(short).findings
    assert (finding.type, finding.drift_class, finding.waiting) == ("pricing_drift", "charge_mismatch", None)
    assert any(remark.startswith("sums: the booking says 139.00 USD captured") for remark in finding.remarks)
