"""E1: from the delivery of a payment to the EventLog's entry of the transition that it causes."""

from bench.end_to_end_scene import Scene, scene
from bench.end_to_end_systems import CAREFUL, OURS, TAUGHT
from bench.gateway_deliveries import booking_id
from bench.gateway_driver import CONNECTIONS, Outcome
from bench.gateway_knee import OPEN_CONNECTIONS
from bench.gateway_load import Phase
from bench.judging import Comparison, Sample, percentile
from bench.row import Experiment, Row, Side, Size
from harness.embedded import EmbeddedInfra

SURVIVES = (
    "process dies: each 2xx and what follows from it; machine dies: what the broker has synced, commits"
)

DELIVERIES = {Size.FULL: 6_000, Size.QUICK: 1_500}
SENDING_SECONDS_MAX = 120.0
ARRIVALS_PER_SECOND = 300
ARRIVAL_SECONDS = {Size.FULL: 20.0, Size.QUICK: 5.0}
SPARE_BOOKINGS_SHARE = 0.2
"""Nobody knows beforehand how many arrive."""

# A look is work for the server that is measured; its pause is the resolution.
RATE_PAUSE_SECONDS = 0.05
LATENCY_PAUSE_SECONDS = 0.005


async def sustained(side: str, round_: int, infra: EmbeddedInfra, size: Size) -> Sample:
    """A closed loop, from the first delivery until the last transition has its entry."""
    count = DELIVERIES[size]
    async with scene(side, infra, size, count) as place:
        phase = Phase(SENDING_SECONDS_MAX, count=count)
        outcome = await place.run(
            phase, keys=count, connections=CONNECTIONS, pause_seconds=RATE_PAUSE_SECONDS
        )
        seconds = max(place.watch.committed.values()) - outcome.answers.began
        accepted = outcome.phase()
        return await _sample(
            place,
            ("sustained", side, round_),
            outcome,
            {
                "per_second": accepted.good / seconds,
                "accepted_per_second": accepted.good / accepted.seconds,
                "not_accepted": count - accepted.good,
            },
        )


async def latency(side: str, round_: int, infra: EmbeddedInfra, size: Size) -> Sample:
    """Poisson arrivals: from the scheduled time to the commit of the transition's entry."""
    bookings = int(ARRIVALS_PER_SECOND * ARRIVAL_SECONDS[size] * (1 + SPARE_BOOKINGS_SHARE))
    async with scene(side, infra, size, bookings) as place:
        before = place.sent
        phase = Phase(ARRIVAL_SECONDS[size], rate=ARRIVALS_PER_SECOND)
        outcome = await place.run(
            phase,
            keys=bookings,
            connections=OPEN_CONNECTIONS,
            pause_seconds=LATENCY_PAUSE_SECONDS,
            seed=round_,
        )
        committed, began, whole = place.watch.committed, outcome.answers.began, outcome.phase()
        waits = [
            (committed[booking] - began - outcome.answers.scheduled[number]) * 1e3
            for number in whole.numbers
            if (booking := booking_id(before + number)) in committed
        ]
        figures = {
            "answer_p99_ms": whole.milliseconds(99),
            **{f"entry_p{percent}_ms": percentile(waits, percent) for percent in (50, 99)},
            "not_accepted": len(whole.numbers) - whole.good,
        }
        return await _sample(place, ("latency", side, round_), outcome, figures)


async def _sample(
    place: Scene, of: tuple[str, str, int], outcome: Outcome, figures: dict[str, float]
) -> Sample:
    cpu = place.cpu_microseconds(outcome)
    whole = {"cpu": sum(spent for tree, spent in cpu.items() if tree != "load")}
    return Sample(*of, figures | whole, cpu, outcome.usage.others_share, await place.violations())


def _rate(what: str, against: str, target: str = "") -> Comparison:
    return Comparison("sustained", "per_second", f"events/s, ÷ {what}", OURS, against, target)


def _cpu(what: str, against: str) -> Comparison:
    return Comparison("sustained", "cpu", f"CPU of all processes per event, ÷ {what}", OURS, against)


def _p99(what: str, against: str | None, target: str = "") -> Comparison:
    return Comparison("latency", "entry_p99_ms", f"p99 to the entry at 300/s, {what}", OURS, against, target)


NOT_ACCEPTED = "answered otherwise or not at all"
CPU = "CPU-µs of all processes per event"

ROW = Row(
    name="E1",
    title="end to end: webhook, transition, outbox, EventLog",
    sides=(
        Side(
            OURS,
            "the four services as deployed, one process each, the reconciler too; three sealed entries for an"
            " event",
            SURVIVES,
        ),
        Side(
            TAUGHT,
            "FastAPI with `stripe.Webhook.construct_event` and `send_and_wait`; a SQLAlchemy session, commit"
            " and offset for each message; a SKIP LOCKED poller, 1 s idle; a commit for each entry, two"
            " entries for an event",
            SURVIVES,
        ),
        Side(
            CAREFUL,
            "the tuned FastAPI; up to 500 messages in a SQLAlchemy session and commit; the tuned poller, 10"
            " ms idle; up to 500 entries a commit",
            SURVIVES,
        ),
    ),
    experiments=(
        Experiment(
            "sustained",
            {
                "per_second": "events/s",
                "accepted_per_second": "accepted/s",
                "not_accepted": NOT_ACCEPTED,
                "cpu": CPU,
            },
            sustained,
        ),
        Experiment(
            "latency",
            {
                "answer_p99_ms": "ms p99 to the answer",
                "entry_p50_ms": "ms p50 to the entry",
                "entry_p99_ms": "ms p99 to the entry",
                "not_accepted": NOT_ACCEPTED,
                "cpu": CPU,
            },
            latency,
        ),
    ),
    comparisons=(
        _rate("tutorial", TAUGHT, "≥ 3"),
        _rate("tuned", CAREFUL),
        _cpu("tutorial", TAUGHT),
        _cpu("tuned", CAREFUL),
        _p99("ms", None, "≤ 250"),
        _p99("÷ tutorial", TAUGHT),
        _p99("÷ tuned", CAREFUL),
    ),
    yardsticks=("pgbench -N", "bare aiokafka producer"),
)
