"""R1 to R4: rate, memory and impact of a reconciliation run, and what it finds."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import httpx

from bench.judging import Comparison, Sample
from bench.measuring import Meter, Usage
from bench.reconcile_data import fill
from bench.reconcile_sides import (
    OURS,
    SCRIPT,
    SQL,
    SURVIVES,
    SURVIVES_NOTHING,
    ended_run,
    found_by_run,
    peak_megabytes,
    request_run,
    run_script,
    run_statement,
    trees,
)
from bench.row import Experiment, Row, Side, Size
from bench.rows.booking import ANA, database_of, unpaid_bookings
from bench.yardsticks import PGBENCH_CLIENTS
from booking.domain.statuses import Status
from booking.handlers.changes import ChangeRequest, change_booking
from chassis.postgres import Database
from contracts.ids import BookingId
from harness import Stack, start_services
from harness.embedded import EmbeddedInfra
from harness.stack import http_client

BOOKINGS = {Size.FULL: 1_000_000, Size.QUICK: 50_000}
SMALL, LARGE = "1 M bookings", "10 M bookings"
TIMES_LARGER = 10
WITH, WITHOUT = "with a run", "without"
CHANGES = {Size.FULL: 20_000, Size.QUICK: 3_000}
SNAPSHOT_LOOK_SECONDS = 0.05

_OLDEST_SNAPSHOT = """
SELECT coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0)::float8
FROM pg_stat_activity WHERE usename = 'reconciler_booking_view' AND xact_start IS NOT NULL
"""


async def rate(side: str, round_: int, infra: EmbeddedInfra, size: Size) -> Sample:
    """Check all bookings once, each side on a fresh database with the same rows."""
    count = BOOKINGS[size]
    async with start_services(infra) as stack:
        wrong = await fill(stack, count)
        if side == OURS:
            return await _rate_of_run(stack, round_, infra, count, wrong)
        meter = Meter(trees(infra, None))
        if side == SCRIPT:
            checked, found = await run_script(stack)
        else:
            checked, found = count, await run_statement(stack)
        usage = meter.read()
    return _sample("rate", side, round_, count, usage, _violations(count, checked, wrong, found))


async def _rate_of_run(
    stack: Stack, round_: int, infra: EmbeddedInfra, count: int, wrong: set[str]
) -> Sample:
    process = await stack.start("reconciler")
    async with http_client() as http:
        meter = Meter(trees(infra, process))
        run = await ended_run(stack, http, await request_run(stack, http))
        usage = meter.read()
    found = await found_by_run(stack)
    violations = _violations(count, run["scanned"], wrong, found)
    return _sample("rate", OURS, round_, count, usage, violations)


async def memory(side: str, round_: int, infra: EmbeddedInfra, size: Size) -> Sample:
    """Measure the largest resident set of the process over a whole run."""
    count = BOOKINGS[size] * (TIMES_LARGER if side == LARGE else 1)
    async with start_services(infra) as stack, http_client() as http:
        wrong = await fill(stack, count)
        process = await stack.start("reconciler")
        meter = Meter(trees(infra, process))
        run = await ended_run(stack, http, await request_run(stack, http))
        usage = meter.read()
        figures = {"peak_mb": peak_megabytes(process), "per_second": count / usage.seconds}
        violations = _violations(count, run["scanned"], wrong, await found_by_run(stack))
    cpu = {name: seconds / count * 1e6 for name, seconds in usage.cpu_seconds.items()}
    return Sample("memory", side, round_, figures, cpu, usage.others_share, violations)


async def impact(side: str, round_: int, infra: EmbeddedInfra, size: Size) -> Sample:
    """Commit single transitions of booking while runs follow one another, and while none does."""
    async with start_services(infra) as stack, http_client() as http, database_of(stack) as database:
        ids = await unpaid_bookings(stack, CHANGES[size])
        await fill(stack, BOOKINGS[size])
        process = await stack.start("reconciler")
        oldest = 0.0
        async with _runs(stack, http, going_on=side == WITH) as completed:
            meter = Meter(trees(infra, process))
            lanes = [_change(database, ids[lane::PGBENCH_CLIENTS]) for lane in range(PGBENCH_CLIENTS)]
            changes = asyncio.gather(*lanes)
            while not changes.done():
                oldest = max(oldest, await stack.database("booking").fetchval(_OLDEST_SNAPSHOT))
                await asyncio.sleep(SNAPSHOT_LOOK_SECONDS)
            await changes
            usage = meter.read()
        written = await stack.database("booking").fetchval(
            "SELECT count(*) FROM status_transition WHERE changed_by = 'ana'"
        )
    violations = [] if written == len(ids) else [f"{written} of {len(ids)} transitions were written"]
    violations += [f"a run ended as {status}" for status in completed if status != "completed"]
    figures = {"per_second": len(ids) / usage.seconds, "oldest_snapshot_s": oldest}
    cpu = {name: seconds / len(ids) * 1e6 for name, seconds in usage.cpu_seconds.items()}
    return Sample("impact", side, round_, figures, cpu, usage.others_share, violations)


async def _change(database: Database, ids: Sequence[str]) -> None:
    request = ChangeRequest(actor=ANA, precondition=None, status=Status.CONFIRMED, details={})
    for booking_id in ids:
        await change_booking(database, BookingId(booking_id), request, time_zone="America/Chicago")


@asynccontextmanager
async def _runs(stack: Stack, http: httpx.AsyncClient, *, going_on: bool) -> AsyncGenerator[list[str]]:
    """Keep runs going, one after another, while the block is executed. Yield how each ended."""
    statuses: list[str] = []
    if not going_on:
        yield statuses
        return

    async def follow_one_another() -> None:
        while True:
            statuses.append((await ended_run(stack, http, await request_run(stack, http)))["status"])

    task = asyncio.create_task(follow_one_another())
    try:
        yield statuses
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def recall(side: str, round_: int, infra: EmbeddedInfra, size: Size) -> Sample:
    """Count what a run finds of seeded corruption, and what it reports beyond."""
    count = BOOKINGS[size]
    async with start_services(infra) as stack, http_client() as http:
        wrong = await fill(stack, count)
        process = await stack.start("reconciler")
        meter = Meter(trees(infra, process))
        run = await ended_run(stack, http, await request_run(stack, http))
        usage = meter.read()
        found = await found_by_run(stack)
    figures = {"recall_percent": 100 * len(wrong & found) / len(wrong), "false": float(len(found - wrong))}
    cpu = {name: seconds / count * 1e6 for name, seconds in usage.cpu_seconds.items()}
    violations = _violations(count, run["scanned"], wrong, found)
    return Sample("recall", side, round_, figures, cpu, usage.others_share, violations)


def _violations(count: int, checked: int, wrong: set[str], found: set[str]) -> list[str]:
    return [
        *([] if checked == count else [f"{checked} of {count} bookings were checked"]),
        *([] if wrong <= found else [f"{len(wrong - found)} wrong bookings were not found"]),
        *([] if found <= wrong else [f"{len(found - wrong)} right bookings were reported"]),
    ]


def _sample(
    experiment: str, side: str, round_: int, count: int, usage: Usage, violations: list[str]
) -> Sample:
    cpu = {name: seconds / count * 1e6 for name, seconds in usage.cpu_seconds.items()}
    figures = {"per_second": count / usage.seconds}
    return Sample(experiment, side, round_, figures, cpu, usage.others_share, violations)


RATE_ROW = Row(
    name="R1",
    title="a million bookings reconciled",
    sides=(
        Side(OURS, "`reconciler serve`, one process, as deployed, with queue, events and checks", SURVIVES),
        Side(
            SCRIPT, "cursor, dicts and Decimal: prices computed from the visits, compared", SURVIVES_NOTHING
        ),
        Side(SQL, "stored lines against rates, sums and money; counts no visits", SURVIVES_NOTHING),
    ),
    experiments=(Experiment("rate", {"per_second": "bookings/s"}, rate),),
    comparisons=(
        Comparison("rate", "per_second", "rate, ÷ script", OURS, SCRIPT, "≥ 3 (2)"),
        Comparison("rate", "per_second", "rate, ÷ SQL", OURS, SQL, "≥ 0.5 (0.3)"),
    ),
    yardsticks=("raw COPY", "pgbench -N"),
)

MEMORY_ROW = Row(
    name="R2",
    title="memory of a run: ten times as many bookings",
    sides=(
        Side(SMALL, "`reconciler serve`, one run (QUICK: 50,000)", SURVIVES),
        Side(LARGE, "the same, ten times as many", SURVIVES),
    ),
    experiments=(Experiment("memory", {"peak_mb": "MB peak", "per_second": "bookings/s"}, memory),),
    comparisons=(
        Comparison("memory", "peak_mb", "peak memory, ÷ 1 M", LARGE, SMALL, "≤ 1.05"),
        Comparison("memory", "peak_mb", "peak memory, MB", LARGE, None, "≤ 150"),
    ),
    yardsticks=("raw COPY",),
)

IMPACT_ROW = Row(
    name="R3",
    title="booking's transitions while runs follow one another",
    sides=(
        Side(WITH, "`change_booking` on 4 connections beside `reconciler serve`", SURVIVES),
        Side(WITHOUT, "the same, the reconciler idle", SURVIVES),
    ),
    experiments=(
        Experiment(
            "impact", {"per_second": "transitions/s", "oldest_snapshot_s": "s oldest snapshot"}, impact
        ),
    ),
    comparisons=(
        Comparison("impact", "per_second", "rate, with a run ÷ without", WITH, WITHOUT, "≥ 0.85"),
        Comparison("impact", "oldest_snapshot_s", "oldest snapshot, seconds", WITH, None, "≤ 10"),
    ),
    yardsticks=("pgbench -N",),
)

RECALL_ROW = Row(
    name="R4",
    title="seeded corruption of one booking in a thousand",
    sides=(Side(OURS, "`reconciler serve`, one run", SURVIVES),),
    experiments=(Experiment("recall", {"recall_percent": "% found", "false": "reported wrongly"}, recall),),
    comparisons=(
        Comparison("recall", "recall_percent", "found, %", OURS, None, "100"),
        Comparison("recall", "false", "reported wrongly", OURS, None, "0"),
    ),
    yardsticks=("raw COPY",),
)
