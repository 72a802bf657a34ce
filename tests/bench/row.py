"""What a row of performance.md is made of."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from bench.judging import Comparison, Sample
from harness.embedded import EmbeddedInfra


@dataclass(frozen=True, slots=True)
class Side:
    """One of those who are compared.

    Attributes:
        name: stands in tables.
        description: what exactly it is, so that a reader can judge whether it was written fairly.
        survives: what is left when the process dies, and when the machine dies (rule 4).
    """

    name: str
    description: str
    survives: str


class Size(StrEnum):
    """How long samples are."""

    FULL = "full"
    QUICK = "quick"


Measure = Callable[[str, int, EmbeddedInfra, Size], Awaitable[Sample]]
"""Takes a side's name and the round's number; both sides of a round get the same seed from it."""


@dataclass(frozen=True, slots=True)
class Experiment:
    """One thing measured on every side of a row."""

    name: str
    figures: dict[str, str]
    """Figure → its name with unit, as tables have it."""
    measure: Measure


@dataclass(frozen=True, slots=True)
class Row:
    """A row of performance.md.

    Attributes:
        name, title: as there.
        sides: in the order in which each round measures them.
        experiments: each with `rounds` rounds of all sides.
        comparisons: what the table says, with the targets.
        yardsticks: names of `bench.yardsticks`, printed with the table.
    """

    name: str
    title: str
    sides: Sequence[Side]
    experiments: Sequence[Experiment]
    comparisons: Sequence[Comparison]
    yardsticks: Sequence[str]
