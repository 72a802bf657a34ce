"""Which samples count and what they say (performance.md, rules 1, 2 and 7). Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

OTHERS_SHARE_MAX = 0.15
"""A sample during which other processes took more of the machine's CPU is void."""
YARDSTICK_MOVE_MAX = 0.25
"""A run in which a yardstick moved by more, from before to after, is void."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One side, measured once, in a fresh process.

    Attributes:
        experiment, side, round: what was measured.
        figures: by name, e.g. `rows_per_second`.
        cpu_microseconds: per operation, by process tree.
        others_share: part of the machine that other processes took.
        violations: what the correctness check found; a sample with any has no number.
    """

    experiment: str
    side: str
    round: int
    figures: Mapping[str, float]
    cpu_microseconds: Mapping[str, float]
    others_share: float
    violations: Sequence[str] = ()

    @property
    def void(self) -> bool:
        """Return whether other work kept the machine too busy."""
        return self.others_share > OTHERS_SHARE_MAX

    @property
    def counts(self) -> bool:
        """Return whether the sample has a number."""
        return not self.void and not self.violations


@dataclass(frozen=True, slots=True)
class Spread:
    """Median with minimum and maximum over so many rounds."""

    median: float
    min: float
    max: float
    rounds: int


@dataclass(frozen=True, slots=True)
class Finding:
    """A figure of one side, or its ratio to another side's, beside the target.

    Attributes:
        what: in words.
        counted: over the rounds that count; None if there are none.
        indication: over all rounds whose samples are correct, void ones too; no number, only a hint.
        target: as performance.md has it, empty if it names none.
    """

    what: str
    counted: Spread | None
    indication: Spread | None
    target: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """A yardstick before and after a run."""

    name: str
    unit: str
    before: float
    after: float

    @property
    def move(self) -> float:
        """How far it moved, as a part of the lower reading."""
        low, high = sorted((self.before, self.after))
        return high / low - 1 if low else float("inf")

    @property
    def void(self) -> bool:
        """Return whether the machine's speed changed too much during the run."""
        return self.move > YARDSTICK_MOVE_MAX


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a row wants to know of an experiment: a side's figure, or its paired ratio against another's."""

    experiment: str
    figure: str
    what: str
    side: str
    against: str | None = None
    target: str = ""


@dataclass(slots=True)
class Samples:
    """All samples of a run."""

    taken: list[Sample] = field(default_factory=list[Sample])

    def of(self, experiment: str, side: str) -> list[Sample]:
        """Of one side in one experiment, in the order of rounds."""
        return [s for s in self.taken if s.experiment == experiment and s.side == side]

    def rounds_that_count(self, experiment: str) -> int:
        """How many rounds of an experiment have a number on every side."""
        rounds = {s.round for s in self.taken if s.experiment == experiment}
        broken = {s.round for s in self.taken if s.experiment == experiment and not s.counts}
        return len(rounds - broken)

    def find(self, comparison: Comparison) -> Finding:
        """The finding of a comparison."""
        return Finding(
            comparison.what,
            spread([value for value, counts in self._values(comparison) if counts]),
            spread([value for value, _ in self._values(comparison)]),
            comparison.target,
        )

    def _values(self, wanted: Comparison) -> list[tuple[float, bool]]:
        """Of each round with a correct sample: the figure or ratio, and whether it counts."""
        mine = self.of(wanted.experiment, wanted.side)
        if wanted.against is None:
            return [(s.figures[wanted.figure], s.counts) for s in mine if not s.violations]
        theirs = {s.round: s for s in self.of(wanted.experiment, wanted.against)}
        pairs = [(s, theirs[s.round]) for s in mine if s.round in theirs]
        return [
            (a.figures[wanted.figure] / b.figures[wanted.figure], a.counts and b.counts)
            for a, b in pairs
            if not a.violations and not b.violations and b.figures[wanted.figure]
        ]


def spread(values: Sequence[float]) -> Spread | None:
    """Median, minimum and maximum; None of nothing."""
    return Spread(median(values), min(values), max(values), len(values)) if values else None


def percentile(values: Sequence[float], percent: int) -> float:
    """The smallest value that so many percent of all do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]
