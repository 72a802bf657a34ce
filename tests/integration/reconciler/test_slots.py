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
    requested = await own.database("reconciler").fetch("SELECT slot FROM run ORDER BY slot")
    latest = max(moment for moment in checked.values() if moment is not None)
    due = list(slots(HOURLY, CHICAGO, after=BEGINS - BEHIND, until=latest))
    assert [row["slot"] for row in requested] == due
    assert len(due) == HOURS - 1  # one hour exists twice
    assert await own.database("reconciler").fetchval("SELECT count(*) FROM outbox") == len(due)
