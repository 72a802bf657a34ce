"""G4: three times what a gateway can bear, and how it comes out of it."""

from pathlib import Path

import psutil

from bench.gateway_driver import Load, Outcome
from bench.gateway_knee import MILLISECONDS_MAX, find_knee
from bench.gateway_load import NO_ANSWER, NOT_SENT, OK, SHEDDING, Phase
from bench.gateway_scene import scene
from bench.gateway_sides import OURS, SIDES, TUNED
from bench.judging import Comparison, Sample
from bench.row import Experiment, Row, Size
from bench.rows.gateway_saturation import YARDSTICKS
from harness.embedded import EmbeddedInfra

TIMES_KNEE = 3
OVERLOAD_SECONDS = {Size.FULL: 10.0, Size.QUICK: 3.0}
RECOVERY_SHARE_OF_KNEE = 0.5
RECOVERY_SECONDS = {Size.FULL: 6.0, Size.QUICK: 2.0}
CONNECTIONS = 1_500
"""More than the gateway takes on at once (GATEWAY_IN_FLIGHT_MAX)."""
_MEBIBYTE = 2**20


async def overload(side: str, round_: int, infra: EmbeddedInfra, size: Size) -> Sample:
    """The knee of this very process, three times that, then half of it without a pause."""
    async with scene(side, infra, size) as place:
        warm_bytes = psutil.Process(place.pid).memory_info().rss
        knee = await find_knee(place, round_, size)
        over = Phase(OVERLOAD_SECONDS[size], rate=knee * TIMES_KNEE, settles=False)
        after = Phase(RECOVERY_SECONDS[size], rate=knee * RECOVERY_SHARE_OF_KNEE)
        outcome = await place.run(Load((over, after), connections=CONNECTIONS, seed=round_))
        figures = {
            "knee": knee,
            **_in_overload(outcome),
            "recovered_s": outcome.phase(1).seconds_until_good(MILLISECONDS_MAX),
            "memory_mib": (_peak_bytes(place.pid) - warm_bytes) / _MEBIBYTE,
        }
        return await place.sample("overload", side, round_, figures, outcome)


def _in_overload(outcome: Outcome) -> dict[str, float]:
    """Return the answers to deliveries that were due during the overload."""
    over = outcome.phase(0)
    sent = [status for status in over.statuses if status != NOT_SENT]
    shed = sum(status in SHEDDING for status in sent)
    other = sum(status not in OK and status not in SHEDDING for status in sent)
    return {
        "offered": len(over.numbers) / over.seconds,
        "accepted": over.good / over.seconds,
        "shed_share": shed / len(sent),
        "otherwise": other + outcome.answers.sheds_without_retry_after,
        "not_sent_share": 1 - len(sent) / len(over.numbers),
        "no_answer": sum(status == NO_ANSWER for status in sent),
    }


def _peak_bytes(pid: int) -> int:
    """The most memory that the process ever had."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    kibibytes = next(line.split()[1] for line in lines if line.startswith("VmHWM"))
    return int(kibibytes) * 1024


ROW = Row(
    name="G4",
    title="gateway, overload: three times the knee for 10 s, then half of it",
    sides=[SIDES[side] for side in (OURS, TUNED)],
    experiments=(
        Experiment(
            "overload",
            {
                "knee": "arrivals/s at the knee",
                "offered": "offered/s",
                "accepted": "accepted/s",
                "shed_share": "shed with 429 or 503, of those sent",
                "otherwise": "neither accepted nor shed with Retry-After",
                "no_answer": "of these without an answer",
                "not_sent_share": "given up by the sender: no connection free",
                "recovered_s": "s until all is well again",
                "memory_mib": "MiB more than after the warm-up",
            },
            overload,
        ),
    ),
    comparisons=(
        Comparison("overload", "otherwise", "neither accepted nor shed with Retry-After", OURS, None, "0"),
        Comparison("overload", "recovered_s", "s until all is well again", OURS, None, "≤ 5"),
        Comparison("overload", "memory_mib", "MiB more than after the warm-up", OURS, None, "≤ 64"),
        Comparison("overload", "accepted", "accepted/s in the overload, ÷ tuned", OURS, TUNED),
    ),
    yardsticks=YARDSTICKS,
)
