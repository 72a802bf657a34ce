"""Clocks of the queue: what is overdue is published once per round of work, and sleepers wake (REC-9c)."""

import json
from collections.abc import AsyncGenerator
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from chassis import clock
from chassis.clock import new_id
from chassis.observability.metrics import Metrics
from chassis.postgres import Database
from harness import Infra, Stack, start_services
from integration.reconciler.stored_exceptions import TARGETS, Row, insert, random_exception
from reconciler.handlers import exception_clocks
from reconciler.handlers.exception_clocks import notice_overdue, wake_all
from reconciler.jobs.clocks import OBSERVED_AFTER, ClockMeters


@pytest.fixture
async def own(infra: Infra) -> AsyncGenerator[Stack]:
    async with start_services(infra) as stack:
        yield stack


@pytest.fixture
async def database(own: Stack) -> AsyncGenerator[Database]:
    opened = Database(own.database("reconciler").dsn("reconciler"), application_name="test")
    await opened.start()
    yield opened
    await opened.stop()


def exception(**columns: Any) -> Row:
    """Return an open exception of high severity whose clock has run for five hours, with other columns."""
    resting: Row = dict.fromkeys(
        ("waiting", "resolved_at", "resolution", "resolved_by", "resolved_by_machine", "acknowledged_after")
    )
    row = random_exception(Random(1))
    return (
        row
        | resting
        | {
            "id": new_id(),
            "fingerprint": new_id(),
            "type": "not_charged",
            "drift_class": None,
            "severity": "high",
            "status": "open",
            "superseded": False,
            "clock_counted": timedelta(),
            "clock_running_since": clock.now() - timedelta(hours=5),
            **columns,
        }
    )


async def published(own: Stack) -> list[tuple[str, str]]:
    """Return exception and clock of every event in the outbox, sorted."""
    rows = await own.database("reconciler").fetch("SELECT value FROM reconciler.outbox")
    events = [json.loads(row["value"]) for row in rows]
    return sorted((event["exception_id"], event["clock"]) for event in events if "clock" in event)


async def test_overdue_is_published_once_per_round(own: Stack, database: Database) -> None:
    late = exception()
    paused = exception(clock_running_since=None, clock_counted=timedelta(hours=90), status="suppressed")
    young = exception(clock_running_since=clock.now() - timedelta(hours=3))
    slow = exception(status="acknowledged", acknowledged_after=timedelta(), clock_counted=timedelta(hours=20))
    await insert(own.database("reconciler"), [late, paused, young, slow])
    assert await notice_overdue(database, TARGETS) == 2
    assert await notice_overdue(database, TARGETS) == 0
    assert await published(own) == sorted([(late["id"], "acknowledge"), (slow["id"], "resolve")])
    # A long rest in the same round is no reason to tell it again.
    await rest(own, late)
    assert await notice_overdue(database, TARGETS) == 0
    # A resolution that was taken back does not end the round, one that stands does.
    await record(own, late, ["resolved", "reverted"])
    await rest(own, late)
    assert await notice_overdue(database, TARGETS) == 0
    await record(own, late, ["resolved", "regressed"], first=4)
    await rest(own, late)
    assert await notice_overdue(database, TARGETS) == 1


async def test_every_page_of_overdue_exceptions_is_published(
    own: Stack, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exception_clocks, "NOTICE_ROWS_MAX", 2)
    late = [exception() for _ in range(5)]
    await insert(own.database("reconciler"), late)
    assert await notice_overdue(database, TARGETS) == 5
    assert await published(own) == sorted((row["id"], "acknowledge") for row in late)


async def rest(own: Stack, row: Row) -> None:
    """Let the clock's start be later than the last notice, and the time over."""
    await own.database("reconciler").execute(
        "UPDATE reconciler.exception_overdue SET noticed_at = $2 WHERE exception_id = $1",
        row["id"],
        row["clock_running_since"] - timedelta(hours=1),
    )


async def record(own: Stack, row: Row, kinds: list[str], *, first: int = 2) -> None:
    for version, kind in enumerate(kinds, start=first):
        await own.database("reconciler").execute(
            "INSERT INTO reconciler.exception_event (exception_id, kind, revision, actor, reason, version,"
            " explanation) VALUES ($1, $2, 1, 'ana', 'r', $3, '{}')",
            row["id"],
            kind,
            version,
        )


async def test_sleepers_wake_and_metrics_exist_at_zero(own: Stack, database: Database) -> None:
    metrics = Metrics("reconciler")
    meters = ClockMeters(metrics)
    value = metrics.registry.get_sample_value
    for severity in ("high", "medium", "low"):
        assert value("reconciler_exceptions_open", {"type": "not_charged", "severity": severity}) == 0
        assert value("reconciler_exception_resolve_seconds_count", {"severity": severity}) == 0
    rows = [exception(status="suppressed", clock_running_since=None) for _ in range(3)]
    ended = exception(status="acknowledged", acknowledged_after=timedelta(hours=2))
    await insert(own.database("reconciler"), [*rows, ended])
    await own.database("reconciler").execute(
        "UPDATE reconciler.exception SET suppressed_until = now() - $2::interval"
        " WHERE id = ANY($1::uuid[]) AND status = 'suppressed'",
        [row["id"] for row in rows[:2]],
        timedelta(seconds=1),
    )
    assert await wake_all(database) == 2
    await record(own, ended, ["acknowledged"])
    await own.database("reconciler").execute(
        "UPDATE reconciler.exception_clock_reader SET observed_until = now() - interval '1 hour'"
    )
    async with own.database("reconciler").without_triggers("reconciler.exception_event") as connection:
        await connection.execute(
            "UPDATE reconciler.exception_event SET recorded_at = $1 WHERE exception_id = $2",
            clock.now() - OBSERVED_AFTER * 2,
            ended["id"],
        )
    for _ in range(2):
        await meters.observe(database)
    await meters.refresh(database, TARGETS)
    assert value("reconciler_exceptions_open", {"type": "not_charged", "severity": "high"}) == 4
    assert value("reconciler_exceptions_overdue", {"clock": "acknowledge", "severity": "high"}) == 0
    assert value("reconciler_exception_acknowledge_seconds_count", {"severity": "high"}) == 1
    assert value("reconciler_exception_acknowledge_seconds_sum", {"severity": "high"}) == 7200
