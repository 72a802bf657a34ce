"""B3: how fast an outbox is drained, and how soon a committed event is on Kafka."""

import random

from bench.judging import Comparison, Sample, percentile
from bench.measuring import Meter
from bench.outbox_load import find_violations, make_events, milliseconds_until
from bench.outbox_scene import SURVIVES, cpu_microseconds, scene
from bench.outbox_sides import RELAY, TUNED, TUTORIAL
from bench.row import Experiment, Row, Side, Size
from harness.embedded import EmbeddedInfra

DRAIN_ROWS = {Size.FULL: 50_000, Size.QUICK: 5_000}
ARRIVALS_PER_SECOND = 500
ARRIVAL_SECONDS = {Size.FULL: 20, Size.QUICK: 4}


async def drain(side: str, round_: int, infra: EmbeddedInfra, size: Size) -> Sample:
    """A backlog that is there at once, until the last row of it is sent and gone."""
    count = DRAIN_ROWS[size]
    async with scene(side, infra) as place:
        meter = await place.fill(make_events(count))
        await place.emptied()
        usage = meter.read()
        violations = find_violations(place.written, await place.topic.read())
    figures = {"rows_per_second": count / usage.seconds}
    cpu = cpu_microseconds(usage, count)
    return Sample("drain", side, round_, figures, cpu, usage.others_share, violations)


async def latency(side: str, round_: int, infra: EmbeddedInfra, size: Size) -> Sample:
    """Single commits at Poisson times; from each commit, and from its scheduled time, to the broker's log."""
    count = ARRIVALS_PER_SECOND * ARRIVAL_SECONDS[size]
    chance = random.Random(round_)
    async with scene(side, infra) as place:
        meter = Meter(place.trees)
        times = await place.write(chance.expovariate(ARRIVALS_PER_SECOND) for _ in range(count))
        await place.emptied()
        usage = meter.read()
        arrivals = await place.topic.read()
    waits = milliseconds_until(arrivals, times.committed)
    figures = {
        "commit_p50_ms": percentile(waits, 50),
        "commit_p99_ms": percentile(waits, 99),
        "scheduled_p99_ms": percentile(milliseconds_until(arrivals, times.scheduled), 99),
    }
    violations = find_violations(place.written, arrivals)
    cpu = cpu_microseconds(usage, count)
    return Sample("latency", side, round_, figures, cpu, usage.others_share, violations)


ROW = Row(
    name="B3",
    title="outbox relay ‖ the tutorials' SKIP LOCKED poller, as taught and tuned",
    sides=(
        Side(RELAY, "`booking serve --only relay`, one process, as deployed", SURVIVES),
        Side(TUTORIAL, "100 rows, each sent and awaited, one UPDATE; 1 s idle", SURVIVES),
        Side(TUNED, "1,000 rows in flight, 1 MiB batches, DELETE; 10 ms idle", SURVIVES),
    ),
    experiments=(
        Experiment("drain", {"rows_per_second": "rows/s"}, drain),
        Experiment(
            "latency",
            {
                "commit_p50_ms": "ms p50 from commit",
                "commit_p99_ms": "ms p99 from commit",
                "scheduled_p99_ms": "ms p99 from schedule",
            },
            latency,
        ),
    ),
    comparisons=(
        Comparison("drain", "rows_per_second", "drain, ÷ tutorial", RELAY, TUTORIAL, "≥ 3"),
        Comparison("drain", "rows_per_second", "drain, ÷ tuned", RELAY, TUNED),
        Comparison("latency", "commit_p99_ms", "p99 commit to Kafka at 500/s, ms", RELAY, None, "≤ 50"),
        Comparison("latency", "commit_p99_ms", "p99 at 500/s, ÷ tuned", RELAY, TUNED),
        Comparison("latency", "commit_p99_ms", "p99 at 500/s, ÷ tutorial", RELAY, TUTORIAL),
    ),
    yardsticks=("raw COPY", "pgbench -N", "bare aiokafka producer"),
)
