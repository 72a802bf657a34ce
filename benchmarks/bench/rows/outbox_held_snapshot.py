"""B4: the outbox while a transaction keeps an old snapshot, so that no deleted row can be vacuumed."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from bench.judging import Comparison, Sample, percentile
from bench.measuring import Meter, Usage
from bench.outbox_load import Arrival, find_violations, milliseconds_until
from bench.outbox_scene import SURVIVES, Scene, Times, cpu_microseconds, scene
from bench.outbox_sides import RELAY, SERVICE, TUNED
from bench.row import Experiment, Row, Side, Size
from chassis import clock
from harness import Stack
from harness.embedded import EmbeddedInfra

HELD_SECONDS = {Size.FULL: 300, Size.QUICK: 40}
WINDOW_SECONDS = {Size.FULL: 60, Size.QUICK: 8}
COMMITS_PER_SECOND = 100
ROWS_PER_COMMIT = 10


async def hold(side: str, round_: int, infra: EmbeddedInfra, size: Size) -> Sample:
    """Commits at a fixed rate under a held snapshot: the first window of it against the last."""
    count = HELD_SECONDS[size] * COMMITS_PER_SECOND
    async with scene(side, infra) as place, _snapshot(place.stack):
        whole, began = Meter(place.trees), clock.now().timestamp()
        (first, last), times = await asyncio.gather(
            _windows(place, size),
            place.write((1 / COMMITS_PER_SECOND for _ in range(count)), rows=ROWS_PER_COMMIT),
        )
        usage = whole.read()
        await place.emptied()
        arrivals = await place.topic.read()
    figures = _figures(arrivals, times, began, size, _cpu(first, size), _cpu(last, size))
    cpu = cpu_microseconds(usage, count * ROWS_PER_COMMIT)
    violations = find_violations(place.written, arrivals)
    return Sample("hold", side, round_, figures, cpu, usage.others_share, violations)


@asynccontextmanager
async def _snapshot(stack: Stack) -> AsyncGenerator[None]:
    """A reader in a transaction of its own, as a dump or a report is one."""
    async with (
        stack.database(SERVICE).connect() as reader,
        reader.transaction(isolation="repeatable_read", readonly=True),
    ):
        await reader.execute("SELECT count(*) FROM booking")
        yield


async def _windows(place: Scene, size: Size) -> tuple[Usage, Usage]:
    """Return the cost of the first and of the last window."""
    window = WINDOW_SECONDS[size]
    first = Meter(place.trees)
    await asyncio.sleep(window)
    spent_first = first.read()
    await asyncio.sleep(HELD_SECONDS[size] - 2 * window)
    last = Meter(place.trees)
    await asyncio.sleep(window)
    return spent_first, last.read()


def _cpu(usage: Usage, size: Size) -> float:
    """CPU-µs of whoever empties and of PostgreSQL, per row offered."""
    spent = cpu_microseconds(usage, WINDOW_SECONDS[size] * COMMITS_PER_SECOND * ROWS_PER_COMMIT)
    return spent["sender"] + spent["postgres"]


def _figures(
    arrivals: list[Arrival], times: Times, began: float, size: Size, cpu_first: float, cpu_last: float
) -> dict[str, float]:
    window = WINDOW_SECONDS[size]
    ended = began + HELD_SECONDS[size]
    first = [a for a in arrivals if began <= a.at < began + window and a.event_id in times.committed]
    last = [a for a in arrivals if ended - window <= a.at < ended]
    return {
        "rate_kept": len(last) / len(first),
        "p99_first_ms": percentile(milliseconds_until(first, times.committed), 99),
        "p99_last_ms": percentile(milliseconds_until(last, times.committed), 99),
        "cpu_first": cpu_first,
        "cpu_last": cpu_last,
        "cpu_growth": cpu_last / cpu_first,
    }


ROW = Row(
    name="B4",
    title="outbox under a long transaction: 1,000 rows/s for 5 minutes of a held snapshot",
    sides=(
        Side(RELAY, "`booking serve --only relay`, one process, as deployed", SURVIVES),
        Side(TUNED, "looks from the lowest id: 1,000 rows in flight, DELETE; 10 ms idle", SURVIVES),
    ),
    experiments=(
        Experiment(
            "hold",
            {
                "rate_kept": "rate, last minute ÷ first",
                "p99_first_ms": "ms p99 from commit, first minute",
                "p99_last_ms": "ms p99 from commit, last minute",
                "cpu_first": "CPU-µs/row sender + postgres, first minute",
                "cpu_last": "CPU-µs/row sender + postgres, last minute",
                "cpu_growth": "CPU, last minute ÷ first",
            },
            hold,
        ),
    ),
    comparisons=(
        Comparison("hold", "rate_kept", "rate, last minute ÷ first", RELAY, None, "≥ 0.9"),
        Comparison("hold", "cpu_growth", "CPU per row, last minute ÷ first", RELAY, None),
        Comparison("hold", "cpu_growth", "the same of the tuned poller", TUNED, None),
        Comparison("hold", "p99_last_ms", "p99 in the last minute, ÷ tuned", RELAY, TUNED),
    ),
    yardsticks=("raw COPY", "pgbench -N", "bare aiokafka producer"),
)
