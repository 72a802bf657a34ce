"""The examples of docs/reconciliation.md, executed: page and code cannot part."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from reconciler.domain.findings import Finding, cancelled_but_paid, finding_of_price, not_evaluable
from reconciler.domain.meanings import MEANINGS
from reconciler.domain.obstacles import NotEvaluableError, record_error
from unit.reconciler.stored_bookings import NOW, PRICE, RULES, booking, damaged, evaluated

PAGE = Path(__file__).parents[3] / "docs" / "reconciliation.md"
# Types whose findings are made from messages of other services, not by a run.
REPORTED = {"payment_anomaly", "identity_conflict", "delivery_missed", "offer_ambiguous"}


def _four_pets(pricing: dict[str, Any]) -> None:
    pricing["inputs"]["pets"] = 4


# What the column "and" says, as fields of the view's row.
AND: dict[str, dict[str, Any]] = {
    "": {},
    "within the grace time": {"due_at": NOW - timedelta(hours=1), "money_changed_at": None},
    "after the grace time": {"money_changed_at": None},
    "a payment is pending": {"pending_payments": 1},
    "in two payments": {"charge_count": 2},
    "200.00 EUR came too": {"payment_currencies": ("EUR", "USD"), "charge_count": 2},
    "booking in EUR": {"currency": "EUR"},
    "a refund of 132.00 is on its way": {"captured": PRICE, "refunded": PRICE, "refund_pending": PRICE},
    "132.00 is disputed": {"disputed": PRICE},
    "132.00 was lost in a dispute": {"captured": PRICE, "refunded": PRICE, "lost": PRICE},
    "cancelled an hour ago": {"status": "cancelled", "cancelled_at": NOW - timedelta(hours=1)},
    "cancelled two days ago": {"status": "cancelled", "cancelled_at": NOW - timedelta(days=2)},
}
OBSTACLES: dict[str, dict[str, Any]] = {
    "history_disagrees": {"status": "pending", "history_status": "confirmed"},
    "status_unknown": {"status": "paid"},
    "sums_disagree": {"kept_captured": PRICE + 700},
    "payment_status_disagrees": {"payment_status": "unpaid"},
    "payments_impossible": {"contradictory_payments": 1},
    "snapshot_missing": {"pricing": None},
    "snapshot_unreadable": {"pricing": '{"total": 13200}'},
    "version_unknown": {"pricing": str(booking().pricing).replace("2025-01", "1999-01", 1)},
    "time_impossible": {"due_at": NOW + timedelta(days=400)},
}


def rows(heading: str) -> Iterator[list[str]]:
    """Return the cells of the table under a heading."""
    section = PAGE.read_text(encoding="utf-8").partition(f"### {heading}\n")[2].partition("\n#")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    assert lines, heading
    return ([cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:])


def cents(text: str) -> int | None:
    return None if text == "none" else int(text.replace(".", ""))


def findings_of(stored: str, computed: str, charged: str, more: str) -> tuple[str, list[Finding]]:
    captured = cents(charged)
    fields: dict[str, Any] = {
        "total": cents(stored),
        "captured": captured or 0,
        "held": captured or 0,
        "charge_count": 0 if captured is None else 1,
        "payment_currencies": () if captured is None else ("USD",),
        **AND[more],
    }
    row = booking(**fields)
    assert computed in {"132.00", "147.00"}
    evaluation = evaluated(damaged(row, _four_pets) if computed == "147.00" else row, RULES)
    findings = [finding_of_price(price) for price in evaluation.findings]
    held = [cancelled_but_paid(evaluation.held)] if evaluation.held else []
    return evaluation.outcome, [*findings, *held]


@pytest.mark.parametrize("row", list(rows("Every class with numbers")), ids=" ".join)
def test_example_of_the_page_is_what_the_code_finds(row: list[str]) -> None:
    stored, computed, charged, more, outcome, kind, severity, says = row
    found, findings = findings_of(stored, computed, charged, more)
    assert found == outcome
    if kind == "no finding":
        assert findings == []
        return
    [finding] = findings
    name, _, waiting = kind.replace("`", "").partition(", waits for ")
    assert (finding.drift_class or finding.type, finding.waiting or "") == (name, waiting)
    assert finding.severity == severity
    assert finding.explanation["sentence"] == says


@pytest.mark.parametrize("row", list(rows("What cannot be compared")), ids=lambda row: row[0])
def test_obstacle_of_the_page_is_what_the_code_says(row: list[str]) -> None:
    obstacle, says = row[0].strip("`"), row[1]
    with pytest.raises(NotEvaluableError) as raised:
        evaluated(booking(**OBSTACLES[obstacle]))
    finding = not_evaluable(record_error("b", raised.value))
    assert finding.explanation["obstacle"] == obstacle
    assert finding.explanation["sentence"] == says


def test_page_names_every_kind_that_a_run_can_find() -> None:
    page = PAGE.read_text(encoding="utf-8")
    names: Callable[[str], set[str]] = lambda text: set(re.findall(r"`([a-z_]+)", text))  # noqa: E731
    assert set(MEANINGS) - REPORTED <= names(page)
