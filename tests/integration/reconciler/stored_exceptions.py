"""Random exceptions and random filters, and which of them belong together."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, get_args

from chassis.clock import new_id
from harness.databases import TestDatabase
from reconciler.domain.classify import SEVERITIES, DriftClass
from reconciler.domain.clocks import Targets
from reconciler.domain.exceptions import EXCEPTION_STATUSES, RESOLUTIONS
from reconciler.domain.filters import ExceptionFilter
from reconciler.domain.findings import EXCEPTION_TYPES

Row = dict[str, Any]

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
PEOPLE = ("ana", "kim", None)
CURRENCIES = ("USD", "JPY", None)
TITLES = ("100% of 132.00 USD", "drift_of 3.00", "a\\b 'c'", "Drift OF line")
TARGETS = Targets(
    acknowledge={"high": timedelta(hours=4), "medium": timedelta(hours=24), "low": timedelta(hours=72)},
    resolve={"high": timedelta(hours=24), "medium": timedelta(hours=72), "low": timedelta(hours=240)},
)


def random_exception(random: Random) -> Row:
    """Return the columns of an exception that the service could have written."""
    kind, status = random.choice(EXCEPTION_TYPES), random.choice(EXCEPTION_STATUSES)
    waiting = random.choice(["refund", *[None] * 9]) if status == "open" else None
    first_seen = NOW - timedelta(hours=random.randrange(1, 400))
    is_resolved, runs = status == "resolved", status in ("open", "acknowledged") and waiting is None
    is_machine = random.random() < 0.5
    currency = random.choice(CURRENCIES)
    return {
        "id": new_id(),
        "type": kind,
        "drift_class": random.choice(get_args(DriftClass)) if kind == "pricing_drift" else None,
        "severity": random.choice(SEVERITIES),
        "status": status,
        "booking_id": random.choice(["b-1", "b-2", None]),
        "fingerprint": new_id(),
        "difference": "d",
        "title": random.choice(TITLES),
        "explanation": '{"lines": [], "totals": {}}',
        "assignee": random.choice(PEOPLE),
        "currency": currency,
        "amount": None if currency is None else random.choice([-2000, -3, 0, 3, 150, 10**20]),
        "line": random.choice(["base", "holiday", None]),
        "rate_card": random.choice(["2025-01", None]),
        "engine": None,
        "waiting": waiting,
        "regressions": random.choice([0, 0, 2]),
        "escalated_at": random.choice([None, NOW]),
        "superseded": random.random() < 0.05,
        "first_seen_at": first_seen,
        "last_seen_at": NOW,
        "resolved_at": NOW if is_resolved else None,
        "resolution": random.choice(RESOLUTIONS) if is_resolved else None,
        "resolved_by": ("reconciler" if is_machine else "ana") if is_resolved else None,
        "resolved_by_machine": is_machine if is_resolved else None,
        "clock_counted": timedelta(hours=random.randrange(30)),
        "clock_running_since": first_seen if runs else None,
        "acknowledged_after": timedelta(hours=1) if status == "acknowledged" else None,
    }


async def insert(database: TestDatabase, rows: Sequence[Row]) -> None:
    """Insert exceptions as superuser."""
    columns = list(rows[0])
    values = ", ".join(f"${number}" for number in range(1, len(columns) + 1))
    statement = f"INSERT INTO reconciler.exception ({', '.join(columns)}) VALUES ({values})"
    async with database.connect() as connection:
        await connection.executemany(statement, [tuple(row.values()) for row in rows])


def random_members(random: Random, rows: Sequence[Row]) -> dict[str, Any]:
    """Return a filter as JSON members: up to three, with values that some of the exceptions have."""
    row = random.choice(rows)
    choices: dict[str, Any] = {
        "type": row["type"],
        "class": row["drift_class"],
        "status": row["status"],
        "severity": row["severity"],
        "assignee": row["assignee"] or "nobody",
        "booking_id": row["booking_id"],
        "currency": row["currency"],
        "waiting": random.random() < 0.5,
        "overdue": random.random() < 0.5,
        "regressed": random.random() < 0.5,
        "escalated": random.random() < 0.5,
        "resolved_by": random.choice(["machine", "person"]),
        "resolution": row["resolution"],
        "amount_min": random.choice([0, 3, 150, 2000]),
        "first_seen_from": row["first_seen_at"].isoformat(),
        "first_seen_to": row["first_seen_at"].isoformat(),
        "q": random.choice(["%", "_", "\\", "drift", "'", "OF", "xyz"]),
    }
    names = random.sample(sorted(choices), random.randrange(4))
    return {name: choices[name] for name in names if choices[name] is not None}


def matches(row: Row, query: ExceptionFilter) -> bool:
    """Return whether an exception belongs to a filter."""
    equal = ("type", "drift_class", "status", "severity", "booking_id", "currency", "resolution")
    return (
        not row["superseded"]
        and (row["waiting"] is not None) is query.waiting
        and all(getattr(query, name) in (None, row[name]) for name in equal)
        and query.assignee in (None, row["assignee"] or "nobody")
        and (query.overdue is None or is_overdue(row) is query.overdue)
        and (query.regressed is None or (row["regressions"] > 0) is query.regressed)
        and (query.escalated is None or (row["escalated_at"] is not None) is query.escalated)
        and (query.resolved_by is None or row["resolved_by_machine"] is (query.resolved_by == "machine"))
        and (
            query.amount_min is None or (row["amount"] is not None and abs(row["amount"]) >= query.amount_min)
        )
        and (query.first_seen_from is None or row["first_seen_at"] >= query.first_seen_from)
        and (query.first_seen_to is None or row["first_seen_at"] < query.first_seen_to)
        and (query.q is None or query.q.lower() in row["title"].lower())
    )


def is_overdue(row: Row) -> bool:
    """Return whether the time to acknowledge or to resolve is over."""
    if row["clock_running_since"] is None:
        return False
    waited = row["clock_counted"] + (NOW - row["clock_running_since"])
    acknowledges = row["acknowledged_after"] is None and waited >= TARGETS.acknowledge[row["severity"]]
    return acknowledges or waited >= TARGETS.resolve[row["severity"]]


def in_order(rows: Sequence[Row]) -> list[Row]:
    """Return exceptions high first, then oldest first."""
    return sorted(rows, key=lambda row: (SEVERITIES.index(row["severity"]), row["first_seen_at"], row["id"]))
