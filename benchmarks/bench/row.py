"""What a row of performance.md is made of."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
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
    sides: Sequence[str] = ()
    """Those that it is measured on; none stands for all of the row."""

    def is_of(self, side: str) -> bool:
        """Return whether the row is measured on that side."""
        return not self.sides or side in self.sides


@dataclass(frozen=True, slots=True)
class Row:
    """A row of performance.md.

    Attributes:
        name, title: as there.
        sides: in the order in which each round measures them.
        experiments: each with `rounds` rounds of all sides.
        comparisons: what the table says, with the targets.
        yardsticks: names of `bench.yardsticks`, printed with the table.
        find_missing: asked before the first round: sides that cannot be measured here, and why.
    """

    name: str
    title: str
    sides: Sequence[Side]
    experiments: Sequence[Experiment]
    comparisons: Sequence[Comparison]
    yardsticks: Sequence[str]
    find_missing: Callable[[], Awaitable[Mapping[str, str]]] | None = None

    def without(self, missing: Collection[str]) -> "Row":
        """The same without these sides, and without what is compared with them."""
        return replace(
            self,
            sides=[side for side in self.sides if side.name not in missing],
            comparisons=[c for c in self.comparisons if not {c.side, c.against} & set(missing)],
        )
