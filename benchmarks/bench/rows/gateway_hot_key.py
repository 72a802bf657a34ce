"""G3: everything about one booking, so that all of it goes to one partition."""

from bench.gateway_driver import Load
from bench.gateway_load import Phase
from bench.gateway_scene import scene
from bench.gateway_sides import OURS, SIDES, TUTORIAL
from bench.judging import Comparison, Sample
from bench.row import Experiment, Row, Size
from bench.rows.gateway_saturation import YARDSTICKS
from harness.embedded import EmbeddedInfra

SECONDS = {Size.FULL: 5.0, Size.QUICK: 2.0}


async def hot_key(side: str, round_: int, infra: EmbeddedInfra, size: Size) -> Sample:
    """Uniform keys and one key, by one process, because two would differ; who is first alternates."""
    uniform = Load((Phase(SECONDS[size]),))
    hot = Load((Phase(SECONDS[size]),), keys=1)
    async with scene(side, infra, size) as place:
        rates: dict[int, float] = {}
        for load in (uniform, hot) if round_ % 2 else (hot, uniform):
            outcome = await place.run(load)
            rates[load.keys] = outcome.phase().good / outcome.phase().seconds
        figures = {
            "uniform": rates[uniform.keys],
            "hot": rates[hot.keys],
            "kept": rates[hot.keys] / rates[uniform.keys],
        }
        return await place.sample("hot key", side, round_, figures, outcome)


ROW = Row(
    name="G3",
    title="gateway, hot key: one booking ‖ 2,000 in turn",
    sides=[SIDES[side] for side in (OURS, TUTORIAL)],
    experiments=(
        Experiment(
            "hot key",
            {
                "uniform": "accepted/s, uniform keys",
                "hot": "accepted/s, one key",
                "kept": "one key ÷ uniform",
            },
            hot_key,
        ),
    ),
    comparisons=(
        Comparison("hot key", "kept", "one key ÷ uniform keys", OURS, None, "≥ 0.95"),
        Comparison("hot key", "kept", "the same of the tutorial form", TUTORIAL),
    ),
    yardsticks=YARDSTICKS,
)
