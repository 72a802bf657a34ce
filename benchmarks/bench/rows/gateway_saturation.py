"""G1, G1b, G1c: deliveries per second with 64 connections that never wait, and what one costs."""

from collections.abc import Mapping

from bench import gateway_benthos
from bench.gateway_driver import Load
from bench.gateway_load import Phase
from bench.gateway_scene import cpu_microseconds, scene
from bench.gateway_sides import (
    BARE,
    BENTHOS,
    BENTHOS_LEAN,
    OURS,
    OURS_TWICE,
    SIDES,
    TUNED,
    TUTORIAL,
)
from bench.judging import Comparison, Sample
from bench.row import Experiment, Row, Size
from harness.embedded import EmbeddedInfra

SECONDS = {Size.FULL: 6.0, Size.QUICK: 2.0}
YARDSTICKS = ("bare ASGI route", "bare aiokafka producer")


async def saturate(side: str, round_: int, infra: EmbeddedInfra, size: Size) -> Sample:
    """A closed loop; only what was answered 2xx counts as done."""
    async with scene(side, infra, size) as place:
        outcome = await place.run(Load((Phase(SECONDS[size]),)))
        whole = outcome.phase()
        figures = {
            "per_second": whole.good / whole.seconds,
            "p50_ms": whole.milliseconds(50),
            "p99_ms": whole.milliseconds(99),
            "cpu": cpu_microseconds(outcome)["gateway"],
            "not_accepted": len(whole.numbers) - whole.good,
        }
        return await place.sample("saturation", side, round_, figures, outcome)


SATURATION = Experiment(
    "saturation",
    {
        "per_second": "accepted/s",
        "p50_ms": "ms p50 with 64 waiting",
        "p99_ms": "ms p99 with 64 waiting",
        "cpu": "CPU-µs of the gateway per delivery",
        "not_accepted": "answered otherwise or not at all",
    },
    saturate,
)


def _rate(what: str, against: str, target: str = "", *, side: str = OURS) -> Comparison:
    return Comparison("saturation", "per_second", f"accepted/s, ÷ {what}", side, against, target)


def _cpu(what: str, against: str, target: str = "") -> Comparison:
    return Comparison(
        "saturation", "cpu", f"CPU of the gateway per delivery, ÷ {what}", OURS, against, target
    )


async def missing_benthos() -> Mapping[str, str]:
    """Both forms of it, where it cannot be built."""
    why = await gateway_benthos.why_missing()
    return dict.fromkeys((BENTHOS, BENTHOS_LEAN), why) if why else {}


SATURATION_ROW = Row(
    name="G1",
    title="gateway saturation: plumbline ‖ FastAPI + aiokafka, as taught and tuned",
    sides=[SIDES[side] for side in (OURS, TUTORIAL, TUNED)],
    experiments=(SATURATION,),
    comparisons=(
        _rate("tutorial", TUTORIAL, "≥ 4"),
        _rate("tuned", TUNED, "≥ 1.2"),
        _cpu("tutorial", TUTORIAL),
        _cpu("tuned", TUNED, "≤ 0.85"),
    ),
    yardsticks=YARDSTICKS,
)

PLATFORM_ROW = Row(
    name="G1b",
    title="gateway saturation: plumbline ‖ the Benthos engine, all on the same two cores",
    sides=[SIDES[side] for side in (OURS, OURS_TWICE, BENTHOS, BENTHOS_LEAN)],
    experiments=(SATURATION,),
    comparisons=(
        _rate("Benthos", BENTHOS, "≥ 0.95"),
        _rate("Benthos, two processes of ours", BENTHOS, "≥ 1.15", side=OURS_TWICE),
        _rate("Benthos, lean", BENTHOS_LEAN),
        _cpu("Benthos", BENTHOS),
        _cpu("Benthos, lean", BENTHOS_LEAN),
    ),
    yardsticks=YARDSTICKS,
    find_missing=missing_benthos,
)

TAX_ROW = Row(
    name="G1c",
    title="gateway tax: plumbline ‖ a bare ASGI route with the same HMAC and producer",
    sides=[SIDES[side] for side in (OURS, BARE)],
    experiments=(SATURATION,),
    comparisons=(_rate("bare", BARE, "≥ 0.5"), _cpu("bare", BARE)),
    yardsticks=YARDSTICKS,
)
