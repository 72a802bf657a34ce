"""Mutants: safety lines, each with the harm of its absence and the tests that must fail without it."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mutation.fragments import replaced, replaced_in_strings, replaced_text

CATALOGUE = Path(__file__).parent / "catalogue"
ROOT = Path(__file__).parents[2]
SIMULATION = ("simulation",)


class NotApplicableError(Exception):
    """A mutant does not fit the code any more: correct its `function` or its `old` fragment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One safety line that is taken away.

    Attributes:
        id: area and what is taken away.
        lost: the harm without the line, in one line.
        file: path below the root.
        function: qualified name of the function or class that holds the line; empty for the module itself.
        old, new: expression or statements that the function holds exactly once, and the replacement.
        in_text: the fragments are text, in a string of the function or in a file that is not Python.
        tests: the narrowest tests that must fail: files, or pytest's node ids; `simulation` for its seeds.
        own_servers: whether these tests stop Kafka or PostgreSQL, and cannot share them.
        survives: why no test can fail; empty for a mutant that must be caught.
    """

    id: str
    lost: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    function: str = ""
    in_text: bool = False
    own_servers: bool = False
    survives: str = ""

    @property
    def is_simulated(self) -> bool:
        return self.tests == SIMULATION

    def applied_to(self, text: str) -> str:
        """Return the file's text without the safety line.

        Raises:
            NotApplicableError: the function does not hold `old` exactly once.
        """
        if not self.file.endswith(".py"):
            mutated, found = replaced_text(text, self.old, self.new)
        elif self.in_text:
            mutated, found = replaced_in_strings(text, self.function, self.old, self.new)
        else:
            mutated, found = replaced(text, self.function, self.old, self.new)
        if found != 1:
            place = f"{self.file} {self.function}".rstrip()
            raise NotApplicableError(f"{self.id}: `old` occurs {found} times in {place}")
        return mutated


def load() -> list[Mutant]:
    """Return all mutants, file by file."""
    tables: list[dict[str, Any]] = []
    for path in sorted(CATALOGUE.glob("*.toml")):
        tables += tomllib.loads(path.read_text())["mutant"]
    return [Mutant(**{**table, "tests": tuple(table["tests"])}) for table in tables]


def select(mutants: list[Mutant], prefixes: str) -> list[Mutant]:
    """Return the mutants whose id begins with one of the comma-separated prefixes; all if there is none.

    Raises:
        ValueError: a prefix fits no mutant.
    """
    words = [word.strip() for word in prefixes.split(",") if word.strip()]
    for word in words:
        if not any(mutant.id.startswith(word) for mutant in mutants):
            raise ValueError(f"ID={word}: no mutant's id begins so; see {CATALOGUE.relative_to(ROOT)}")
    return [mutant for mutant in mutants if not words or mutant.id.startswith(tuple(words))]
