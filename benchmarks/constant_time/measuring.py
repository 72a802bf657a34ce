"""Two kinds of input, timed in turn: does the mean time tell them apart? Welch's t-test, as dudect uses it.

Reparaz, Balasch and Verbauwhede, "Dude, is my code constant time?" (2017).
"""

import gc
import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Input = TypeVar("Input")

T_MAX = 4.5
"""Beyond this the two means differ; by chance once in 150,000 readings (dudect's threshold)."""
KEPT_SHARE = 0.6
"""The slowest measurements say what else the machine did; they are left out, of both kinds by one limit."""
WARM_UP = 500


@dataclass(frozen=True, slots=True)
class Kinds(Generic[Input]):
    """Inputs of two kinds, many of each, so that where one lies in memory says nothing of its kind."""

    first: Sequence[Input]
    second: Sequence[Input]


@dataclass(frozen=True, slots=True)
class Reading:
    """What one run of measurements says.

    Attributes:
        t: Welch's; positive where the second kind takes longer.
        difference_ns: of the means.
    """

    t: float
    difference_ns: float


def measure(
    call: Callable[[Input], object], kinds: Kinds[Input], *, measurements: int, rng: random.Random
) -> Reading:
    """Time `call` so many times on each kind, in a random order."""
    plan = [
        (number % 2, rng.choice((kinds.first, kinds.second)[number % 2]))
        for number in range(2 * measurements)
    ]
    rng.shuffle(plan)
    for _, value in plan[:WARM_UP]:
        call(value)
    times: tuple[list[int], list[int]] = ([], [])
    gc.collect()
    gc.disable()
    try:
        for kind, value in plan:
            began = time.perf_counter_ns()
            call(value)
            times[kind].append(time.perf_counter_ns() - began)
    finally:
        gc.enable()
    limit = sorted([*times[0], *times[1]])[int(2 * measurements * KEPT_SHARE)]
    return welch(*([each for each in kind if each <= limit] for kind in times))


def welch(first: Sequence[float], second: Sequence[float]) -> Reading:
    """Welch's t of two samples of unequal variance."""
    (mean, variance), (other_mean, other_variance) = _moments(first), _moments(second)
    error = math.sqrt(variance / len(first) + other_variance / len(second))
    difference = other_mean - mean
    if not error:
        return Reading(math.copysign(math.inf, difference) if difference else 0.0, difference)
    return Reading(difference / error, difference)


def tells_them_apart(readings: Sequence[Reading], tolerated_ns: float = 0.0) -> bool:
    """Return whether every repeated run is beyond the threshold, all to the same side.

    Args:
        readings: of the runs.
        tolerated_ns: a difference of the means that is known, and tells nobody anything.
    """
    certain = [each for each in readings if abs(each.t) > T_MAX and abs(each.difference_ns) > tolerated_ns]
    return len(certain) == len(readings) and len({each.t > 0 for each in readings}) == 1


def _moments(sample: Sequence[float]) -> tuple[float, float]:
    mean = math.fsum(sample) / len(sample)
    return mean, math.fsum((each - mean) ** 2 for each in sample) / (len(sample) - 1)
