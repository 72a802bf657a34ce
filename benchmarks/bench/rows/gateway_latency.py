"""G2: how long a delivery takes from when it was due, at Poisson arrivals, and up to which rate."""

from bench import gateway_knee
from bench.gateway_driver import Load
from bench.gateway_load import Phase
from bench.gateway_scene import scene
from bench.gateway_sides import BENTHOS, OURS, SIDES, TUNED, TUTORIAL
from bench.judging import Comparison, Sample
from bench.row import Experiment, Row, Size
from bench.rows.gateway_saturation import YARDSTICKS, missing_benthos
from harness.embedded import EmbeddedInfra

RATES = (200, 500, 1_000, 2_000)
SECONDS = {Size.FULL: 4.0, Size.QUICK: 1.0}


async def latency(side: str, round_: int, infra: EmbeddedInfra, size: Size) -> Sample:
    """One rate after the other, by one process."""
    phases = tuple(Phase(SECONDS[size], rate=rate) for rate in RATES)
    async with scene(side, infra, size) as place:
        outcome = await place.run(Load(phases, connections=gateway_knee.OPEN_CONNECTIONS, seed=round_))
        figures: dict[str, float] = {}
        for number, rate in enumerate(RATES):
            at_rate = outcome.phase(number)
            figures |= {f"p{percent}_{rate}": at_rate.milliseconds(percent) for percent in (50, 99)}
            figures[f"not_accepted_{rate}"] = len(at_rate.numbers) - at_rate.good
        return await place.sample("latency", side, round_, figures, outcome)


async def knee(side: str, round_: int, infra: EmbeddedInfra, size: Size) -> Sample:
    """The highest rate with p99 at 50 ms or less and everything accepted."""
    async with scene(side, infra, size) as place:
        rate = await gateway_knee.find_knee(place, round_, size)
        return await place.sample("knee", side, round_, {"knee": rate}, place.outcomes[-1])


def _p99(what: str, against: str, target: str = "", rate: int = 1_000) -> Comparison:
    return Comparison("latency", f"p99_{rate}", f"p99 at {rate:,}/s, ÷ {what}", OURS, against, target)


ROW = Row(
    name="G2",
    title="gateway latency, open loop: plumbline ‖ FastAPI ‖ Benthos",
    sides=[SIDES[side] for side in (OURS, TUNED, TUTORIAL, BENTHOS)],
    experiments=(
        Experiment(
            "latency",
            {
                f"{figure}_{rate}": f"{unit} at {rate:,}/s"
                for rate in RATES
                for figure, unit in (("p50", "ms p50"), ("p99", "ms p99"), ("not_accepted", "not accepted"))
            },
            latency,
        ),
        Experiment("knee", {"knee": "arrivals/s at the knee"}, knee, sides=(OURS, TUTORIAL)),
    ),
    comparisons=(
        _p99("tuned", TUNED, "≤ 0.7"),
        _p99("Benthos", BENTHOS, "≤ 1"),
        _p99("tutorial", TUTORIAL),
        _p99("tuned", TUNED, rate=2_000),
        _p99("Benthos", BENTHOS, rate=2_000),
        Comparison("knee", "knee", "knee, ÷ tutorial", OURS, TUTORIAL, "≥ 3"),
    ),
    yardsticks=YARDSTICKS,
    find_missing=missing_benthos,
)
