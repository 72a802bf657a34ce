"""Slots of the schedule, requested by replicas whose clocks differ (REC-1)."""

import random
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from chassis.postgres import Database
from harness import Infra, Stack, start_services
from reconciler.domain.schedule import slots
from reconciler.handlers.run_requests import request_due_run

HOURLY = "0 * * * *"
CHICAGO = ZoneInfo("America/Chicago")
# Clocks go back in the middle.
BEGINS = datetime(2026, 11, 1, 0, 0, tzinfo=UTC)
HOURS = 24
BEHIND = timedelta(seconds=30)


@pytest.fixture(scope="module")
async def own(infra: Infra) -> AsyncGenerator[Stack]:
    async with start_services(infra) as stack:
        yield stack


async def test_replicas_with_clocks_apart_request_one_run_a_slot(own: Stack) -> None:
    chance = random.Random(20_261_101)
    database = Database(own.database("reconciler").dsn("reconciler"), application_name="slots")
    await database.start()
    checked: dict[timedelta, datetime | None] = {timedelta(): None, BEHIND: None}
    try:
        at = BEGINS
        while at < BEGINS + timedelta(hours=HOURS):
            behind = chance.choice(list(checked))
            if chance.random() < 0.02:
                checked[behind] = None  # as after a restart
            now = at - behind
            await request_due_run(
                database, HOURLY, CHICAGO, checked_until=checked[behind], now=now, lateness=timedelta(hours=2)
            )
            checked[behind] = now
            # Many looks around each slot, few between.
            near = min(at.minute, 60 - at.minute) <= 1
            at += timedelta(seconds=chance.uniform(1, 15) if near else chance.uniform(60, 100))
    finally:
        await database.stop()
    requested = await own.database("reconciler").fetch(
        "SELECT slot FROM run WHERE slot < $1 ORDER BY slot", BEGINS + timedelta(hours=HOURS)
    )
    latest = max(moment for moment in checked.values() if moment is not None)
    due = list(slots(HOURLY, CHICAGO, after=BEGINS - BEHIND, until=latest))
    assert [row["slot"] for row in requested] == due
    assert len(due) == HOURS - 1  # one hour exists twice
    events = """SELECT count(*) FROM outbox WHERE convert_from(value, 'UTF8') LIKE '%"slot":"2026-1%'"""
    assert await own.database("reconciler").fetchval(events) == len(due)


async def test_slots_without_a_run_are_recorded_once(own: Stack) -> None:
    cron, now = "30 5 * * *", datetime(2027, 3, 10, 12, 0, tzinfo=UTC)
    database = Database(own.database("reconciler").dsn("reconciler"), application_name="slots")
    await database.start()

    async def look(at: datetime, checked_until: datetime | None = None) -> datetime | None:
        return await request_due_run(
            database, cron, CHICAGO, checked_until=checked_until, now=at, lateness=timedelta(hours=3)
        )

    try:
        assert await look(now) is None  # in force from here
        back = now + timedelta(days=4)
        assert await look(back) == datetime(2027, 3, 14, 10, 30, tzinfo=UTC)  # clocks went forward that day
        assert await look(back) is None
        await look(back, now)  # a replica that stood still meanwhile
        assert await look(back + timedelta(days=1, hours=2)) is None  # missed 3.5 hours ago
    finally:
        await database.stop()
    rows = await own.database("reconciler").fetch(
        "SELECT first_slot, last_slot, slots, made_up_by IS NOT NULL FROM slots_skipped ORDER BY 1"
    )
    first, last = datetime(2027, 3, 11, 11, 30, tzinfo=UTC), datetime(2027, 3, 13, 11, 30, tzinfo=UTC)
    missed = datetime(2027, 3, 15, 10, 30, tzinfo=UTC)
    assert [tuple(row) for row in rows] == [(first, last, 3, True), (missed, missed, 1, False)]
    events = """SELECT count(*) FROM outbox WHERE convert_from(value, 'UTF8') LIKE '%"made_up_by":%'"""
    assert await own.database("reconciler").fetchval(events) == 2
