"""The knee of a gateway: the highest rate at which nearly nobody waits and nobody is turned away."""

from bench.gateway_driver import Load, Outcome
from bench.gateway_load import Phase
from bench.gateway_scene import Scene
from bench.row import Size

MILLISECONDS_MAX = 50.0
"""p99 from the scheduled time."""
OPEN_CONNECTIONS = 256
"""More than are ever under way below the knee, so that an arrival does not wait for a connection."""

FIRST_RATE = 1_000.0
TRIES = 12
"""Bounds the search in time; doubling first, then halving the interval, in ratios: to about a tenth."""
TRY_SECONDS = {Size.FULL: 1.5, Size.QUICK: 0.8}


async def find_knee(place: Scene, round_: int, size: Size) -> float:
    """Arrivals per second; 0 where not even the lowest rate tried was borne.

    What was not borne is tried a second time, because the machine may have stood still for a moment.
    """
    good, bad = 0.0, 0.0
    rate, again = FIRST_RATE, True
    for number in range(TRIES):
        phase = Phase(TRY_SECONDS[size], rate=rate)
        load = Load((phase,), connections=OPEN_CONNECTIONS, seed=round_ * TRIES + number)
        if is_borne(await place.run(load)):
            good = rate
        elif again:
            again = False
            continue
        else:
            bad = rate
        rate, again = next_rate(good, bad), True
    return good


def is_borne(outcome: Outcome) -> bool:
    """Everything accepted, and in time."""
    whole = outcome.phase()
    return whole.good == len(whole.numbers) and whole.milliseconds(99) <= MILLISECONDS_MAX


def next_rate(good: float, bad: float) -> float:
    """Return the next rate between the highest sustained and the lowest failed one; 0 means none yet."""
    if not bad:
        return good * 2
    return (good * bad) ** 0.5 if good else bad / 2
