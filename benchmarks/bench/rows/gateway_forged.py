"""G5: nine forged deliveries to each genuine one."""

from bench.gateway_driver import Load
from bench.gateway_knee import OPEN_CONNECTIONS
from bench.gateway_load import Phase
from bench.gateway_scene import cpu_microseconds, scene
from bench.gateway_sides import OURS, SIDES, TUTORIAL
from bench.judging import Comparison, Sample
from bench.row import Experiment, Row, Size
from bench.rows.gateway_saturation import YARDSTICKS
from harness.embedded import EmbeddedInfra

GENUINE_PER_SECOND = 500
GENUINE_EVERY = 10
SECONDS = {Size.FULL: 4.0, Size.QUICK: 1.5}


async def flood(side: str, round_: int, infra: EmbeddedInfra, size: Size) -> Sample:
    """Genuine ones alone and in the flood, open loop; then what one of each kind costs, closed loop."""
    seconds = SECONDS[size]
    calm = Load((Phase(seconds, rate=GENUINE_PER_SECOND),), connections=OPEN_CONNECTIONS, seed=round_)
    flooded = Load(
        (Phase(seconds, rate=GENUINE_PER_SECOND * GENUINE_EVERY),),
        genuine_every=GENUINE_EVERY,
        connections=OPEN_CONNECTIONS,
        seed=round_,
    )
    async with scene(side, infra, size) as place:
        alone = (await place.run(calm)).phase()
        in_flood = (await place.run(flooded)).phase()
        accepting = await place.run(Load((Phase(seconds),)))
        refusing = await place.run(Load((Phase(seconds),), genuine_every=0))
        costs = [cpu_microseconds(outcome)["gateway"] for outcome in (accepting, refusing)]
        figures = {
            "kept": in_flood.accepted_share / alone.accepted_share,
            "p99_alone_ms": alone.milliseconds(99),
            "p99_flood_ms": in_flood.milliseconds(99),
            "cpu_accepted": costs[0],
            "cpu_refused": costs[1],
            "refusal_cost": costs[1] / costs[0],
        }
        return await place.sample("flood", side, round_, figures, accepting)


ROW = Row(
    name="G5",
    title="gateway, forged flood: 500 genuine and 4,500 forged per second ‖ the 500 alone",
    sides=[SIDES[side] for side in (OURS, TUTORIAL)],
    experiments=(
        Experiment(
            "flood",
            {
                "kept": "genuine accepted, in the flood ÷ alone",
                "p99_alone_ms": "ms p99 of genuine ones, alone",
                "p99_flood_ms": "ms p99 of genuine ones, in the flood",
                "cpu_accepted": "CPU-µs of an acceptance",
                "cpu_refused": "CPU-µs of a refusal",
                "refusal_cost": "refusal ÷ acceptance",
            },
            flood,
        ),
    ),
    comparisons=(
        Comparison("flood", "kept", "genuine accepted, in the flood ÷ alone", OURS, None, "≥ 0.9"),
        Comparison("flood", "refusal_cost", "CPU of a refusal ÷ an acceptance", OURS, None, "≤ 0.75"),
        Comparison("flood", "kept", "genuine accepted of the tutorial form", TUTORIAL),
        Comparison("flood", "p99_flood_ms", "p99 of genuine ones in the flood, ms", OURS),
    ),
    yardsticks=YARDSTICKS,
)
