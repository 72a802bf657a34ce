"""Runs a row: yardsticks, interleaved rounds, yardsticks. Says on the way what it does."""

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bench.judging import Finding, Reading, Sample, Samples
from bench.machine import describe_machine, describe_versions
from bench.row import Experiment, Row, Size
from bench.yardsticks import YARDSTICKS
from chassis import clock
from harness.embedded import EmbeddedInfra

ROUNDS = 5
EXTRA_ROUNDS_SHARE_MAX = 1.0
"""Void rounds are repeated, but at most so many of them for each round that was asked for."""

YARDSTICK_READINGS = 3

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Result:
    """A row, measured.

    Attributes:
        rounds: how many were asked for; each experiment may have more, some of them void.
        obstacles: why the run as a whole has no number; empty if it has.
        missing: sides that could not be measured on this machine, and why.
    """

    row: Row
    size: Size
    rounds: int
    measured_at: str
    machine: dict[str, str]
    versions: dict[str, str]
    readings: list[Reading]
    samples: Samples
    findings: list[Finding]
    obstacles: list[str]
    missing: Mapping[str, str] = field(default_factory=dict[str, str])


class NotRunError(Exception):
    """There is nothing to compare on this machine; the message says what to do."""


async def run_row(row: Row, infra: EmbeddedInfra, *, rounds: int, size: Size, say: Say) -> Result:
    """Measure every side of a row in turn, round after round.

    Raises:
        NotRunError: of its sides too few can be measured here.
    """
    found = await row.find_missing() if row.find_missing else {}
    missing = {side.name: found[side.name] for side in row.sides if side.name in found}
    row = row.without(missing)
    if not row.comparisons:
        raise NotRunError("; ".join(f"{side}: {why}" for side, why in missing.items()))
    for side, why in missing.items():
        say(f"  without {side}: {why}")
    began_at = clock.now().isoformat(timespec="seconds")
    say(f"{row.name} {row.title}")
    before = await _yardsticks(row, infra, size, say)
    samples = Samples()
    for experiment in row.experiments:
        await _rounds(row, experiment, infra, rounds, size, samples, say)
    after = await _yardsticks(row, infra, size, say)
    readings = [Reading(name, YARDSTICKS[name].unit, before[name], after[name]) for name in row.yardsticks]
    return Result(
        row,
        size,
        rounds,
        began_at,
        describe_machine(),
        describe_versions(),
        readings,
        samples,
        [samples.find(comparison) for comparison in row.comparisons],
        find_obstacles(row, samples, readings, rounds),
        missing,
    )


def find_obstacles(row: Row, samples: Samples, readings: list[Reading], rounds: int) -> list[str]:
    """Why a run has no number, each in a line."""
    wrong = [
        f"{s.experiment}, {s.side}, round {s.round} is not correct: {violation}"
        for s in samples.taken
        for violation in s.violations
    ]
    few = [
        f"{experiment.name}: {counted} of {rounds} rounds count"
        for experiment in row.experiments
        if (counted := samples.rounds_that_count(experiment.name)) < rounds
    ]
    moved = [f"yardstick {r.name} moved by {r.move:.0%}" for r in readings if r.void]
    return [*wrong, *few, *moved]


async def _rounds(
    row: Row,
    experiment: Experiment,
    infra: EmbeddedInfra,
    rounds: int,
    size: Size,
    samples: Samples,
    say: Say,
) -> None:
    number = 0
    most = rounds + int(rounds * EXTRA_ROUNDS_SHARE_MAX)
    while samples.rounds_that_count(experiment.name) < rounds and number < most:
        number += 1
        for side in [side for side in row.sides if experiment.is_of(side.name)]:
            sample = await experiment.measure(side.name, number, infra, size)
            samples.taken.append(sample)
            say(f"  {experiment.name} {number}/{rounds} {side.name}: {_told(experiment, sample)}")


def _told(experiment: Experiment, sample: Sample) -> str:
    figures = ", ".join(f"{sample.figures[name]:,.1f} {unit}" for name, unit in experiment.figures.items())
    wrong = "; ".join(sample.violations)
    void = " VOID" if sample.void else ""
    return (
        f"{figures}; others took {sample.others_share:.0%}{void}{' NOT CORRECT: ' + wrong if wrong else ''}"
    )


async def _yardsticks(row: Row, infra: EmbeddedInfra, size: Size, say: Say) -> dict[str, float]:
    """The median of several readings each: one alone moves by a third on a machine with neighbours."""
    found: dict[str, float] = {}
    for name in row.yardsticks:
        readings = [await YARDSTICKS[name].read(infra, size) for _ in range(YARDSTICK_READINGS)]
        found[name] = statistics.median(readings)
        told = ", ".join(f"{reading:,.0f}" for reading in readings)
        say(f"  yardstick {name}: {found[name]:,.0f} {YARDSTICKS[name].unit}, the median of {told}")
    return found
