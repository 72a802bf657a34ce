"""R5: the exception queue at 100,000 open exceptions: list and summary of any view."""

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from bench.judging import Comparison, Sample
from bench.measuring import Meter
from bench.row import Experiment, Row, Side, Size
from chassis import clock
from chassis.postgres import Database
from harness import Stack, start_services
from harness.databases import TestDatabase
from harness.embedded import EmbeddedInfra
from reconciler.adapters import exception_queries
from reconciler.domain.clocks import Reading
from reconciler.domain.filter_members import parse_members
from reconciler.handlers import queries
from reconciler.settings import QueueSettings

OURS = "reconciler"
SURVIVES = "reads only"
OPEN = {Size.FULL: 100_000, Size.QUICK: 20_000}
READS = {Size.FULL: 20, Size.QUICK: 5}
PAGE_ROWS = 50

# One in four is acknowledged or suppressed, one in six more is resolved, one in twenty waits.
_FILL = """
WITH chosen AS (
    SELECT
        n,
        (ARRAY['pricing_drift', 'not_charged', 'pricing_drift', 'duplicate_charge', 'payment_anomaly'])[
            n % 5 + 1
        ] AS kind,
        CASE
            WHEN n % 6 = 0 THEN 'resolved' WHEN n % 8 = 1 THEN 'acknowledged' WHEN n % 8 = 3 THEN 'suppressed'
            ELSE 'open'
        END AS status,
        now() - n * interval '9 seconds' AS since
    FROM generate_series(1, $1::bigint) AS n
)
INSERT INTO reconciler.exception (
    id, type, drift_class, severity, status, booking_id, fingerprint, difference, title, explanation,
    assignee, currency, amount, line, rate_card, engine, waiting, regressions, escalated_at, first_seen_at,
    last_seen_at, resolved_at, resolution, resolved_by, resolved_by_machine, clock_counted,
    clock_running_since, acknowledged_after
)
SELECT
    gen_random_uuid(), kind, CASE kind WHEN 'pricing_drift' THEN 'engine_drift' END,
    (ARRAY['high', 'medium', 'medium', 'low', 'low', 'low'])[n % 6 + 1], status, gen_random_uuid()::text,
    'f' || n, 'd', 'Stored 132.00 USD, recomputed ' || n % 997 || '.02 USD, charged 132.00 USD',
    jsonb_build_object(
        'currency', 'USD',
        'totals', jsonb_build_object('snapshot', 13200, 'recomputed', 13202, 'charged', 13200),
        'lines', (
            SELECT jsonb_agg(jsonb_build_object(
                'code', 'line-' || i, 'snapshot', 4400, 'recomputed', 4401, 'difference', i + n % 7
            )) FROM generate_series(1, 8) AS i
        )
    ),
    CASE n % 5 WHEN 0 THEN 'ana' WHEN 1 THEN 'kim' END, 'USD', n % 5000 - 2000, 'line-' || n % 40, '2025-01',
    '1', CASE WHEN status = 'open' AND n % 20 = 0 THEN 'refund' END, n % 50 / 49,
    CASE WHEN n % 40 = 0 THEN now() END, since, now(),
    CASE status WHEN 'resolved' THEN now() END, CASE status WHEN 'resolved' THEN 'fixed' END,
    CASE status WHEN 'resolved' THEN 'reconciler' END, CASE status WHEN 'resolved' THEN n % 3 > 0 END,
    interval '1 hour', CASE WHEN status IN ('open', 'acknowledged') AND n % 20 > 0 THEN since END,
    CASE status WHEN 'acknowledged' THEN interval '2 hours' END
FROM chosen
"""

VIEWS: Sequence[dict[str, Any]] = (
    {},
    {"status": "open"},
    {"status": "resolved"},
    {"status": "suppressed"},
    {"status": "open", "severity": "high"},
    {"severity": "low"},
    {"type": "pricing_drift"},
    {"type": "payment_anomaly", "severity": "low"},
    {"class": "engine_drift", "status": "acknowledged"},
    {"assignee": "ana", "status": "open"},
    {"assignee": "nobody", "status": "open"},
    {"assignee": "a person without work"},
    {"booking_id": "no such booking"},
    {"cause": "0" * 32},
    {"currency": "USD", "amount_min": 2500},
    {"amount_min": 10**6},
    {"waiting": True},
    {"overdue": True},
    {"overdue": False, "status": "open"},
    {"overdue": True, "severity": "low", "assignee": "kim"},
    {"regressed": True},
    {"escalated": True, "status": "open"},
    {"resolved_by": "person"},
    {"resolution": "accepted"},
    {"q": "recomputed 996.02"},
    {"q": "a title that nothing has"},
    {"first_seen_from": "2026-01-01T00:00:00Z", "status": "open", "type": "not_charged"},
    {"first_seen_to": "2020-01-01T00:00:00Z"},
)


@asynccontextmanager
async def filled_queue(infra: EmbeddedInfra, open_exceptions: int) -> AsyncGenerator[tuple[Stack, Database]]:
    """Start databases and fill the queue, so that about so many exceptions are not resolved."""
    async with start_services(infra) as stack:
        stored = stack.database("reconciler")
        await fill(stored, open_exceptions * 6 // 5)
        database = Database(stored.dsn("reconciler"), application_name="bench")
        await database.start()
        try:
            yield stack, database
        finally:
            await database.stop()


async def fill(stored: TestDatabase, exceptions: int) -> None:
    async with stored.connect() as connection:
        await connection.execute(_FILL, exceptions, timeout=300)
        await connection.execute("VACUUM ANALYZE reconciler.exception", timeout=300)


async def reading(side: str, round_: int, infra: EmbeddedInfra, size: Size) -> Sample:
    """The worst view's p95, of one page and of the page with its summary."""
    targets = QueueSettings.model_construct().targets
    async with filled_queue(infra, OPEN[size]) as (_, database):
        meter = Meter({"postgres": infra.postgres.pid})
        lists: dict[str, float] = {}
        summaries: dict[str, float] = {}
        wrong: list[str] = []
        for members in VIEWS:
            query, seconds = parse_members(members), Reading(clock.now(), targets)
            of_page: list[float] = []
            of_both: list[float] = []
            for _ in range(READS[size]):
                start = time.perf_counter()
                async with database.transaction(readonly=True) as connection:
                    await exception_queries.plan_by_index(connection)
                    rows = await exception_queries.list_exceptions(
                        connection, query, seconds, after=None, rows_max=PAGE_ROWS
                    )
                of_page.append(time.perf_counter() - start)
                start = time.perf_counter()
                listed = await queries.list_exceptions(
                    database, query, seconds, after=None, rows_max=PAGE_ROWS
                )
                of_both.append(time.perf_counter() - start)
                if len(listed.rows) != min(listed.total, PAGE_ROWS) or len(rows) != len(listed.rows):
                    wrong.append(f"{members}: {len(listed.rows)} rows of {listed.total}")
            lists[str(members)] = p95(of_page) * 1000
            summaries[str(members)] = p95(of_both) * 1000
        usage = meter.read()
    reads = len(VIEWS) * READS[size] * 2
    cpu = {name: seconds / reads * 1e6 for name, seconds in usage.cpu_seconds.items()}
    values = {"list_ms": max(lists.values()), "summary_ms": max(summaries.values())}
    return Sample("reading", side, round_, values, cpu, usage.others_share, wrong[:3])


def p95(values: Sequence[float]) -> float:
    return sorted(values)[max(0, round(len(values) * 0.95) - 1)]


ROW = Row(
    name="R5",
    title="the exception queue, 100,000 open exceptions",
    sides=(Side(OURS, "list and summary of 28 views; the worst view's p95", SURVIVES),),
    experiments=(
        Experiment("reading", {"list_ms": "list, p95 ms", "summary_ms": "with summary, p95 ms"}, reading),
    ),
    comparisons=(
        Comparison("reading", "list_ms", "page of the worst view, p95 ms", OURS, None, "≤ 50"),
        Comparison("reading", "summary_ms", "the same with its summary, p95 ms", OURS, None, "≤ 100"),
    ),
    yardsticks=("pgbench -N",),
)
