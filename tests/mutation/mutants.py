"""Mutants: safety lines, each with what is lost without it and the tests that must notice."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CATALOGUE = Path(__file__).parent / "catalogue"
ROOT = Path(__file__).parents[2]


class NotApplicableError(Exception):
    """A mutant does not fit the code any more: bring its `old` text up to date."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One safety line that is taken away.

    Attributes:
        id: area and what is taken away.
        lost: what goes wrong without it, in one line.
        file: below the root.
        old, new: a text that stands in the file exactly once, and what takes its place.
        tests: the narrowest that must fail: files, or pytest's node ids.
        own_servers: whether these tests take Kafka or PostgreSQL away, and cannot share them.
        survives: why no test can notice; empty for a mutant that must be caught.
    """

    id: str
    lost: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    own_servers: bool = False
    survives: str = ""

    def applied_to(self, text: str) -> str:
        """The file's text without the safety line.

        Raises:
            NotApplicableError: the text to be replaced does not stand there exactly once.
        """
        if (times := text.count(self.old)) != 1:
            raise NotApplicableError(f"{self.id}: its `old` text stands {times} times in {self.file}")
        return text.replace(self.old, self.new)


def load() -> list[Mutant]:
    """All mutants, file by file."""
    tables: list[dict[str, Any]] = []
    for path in sorted(CATALOGUE.glob("*.toml")):
        tables += tomllib.loads(path.read_text())["mutant"]
    return [Mutant(**{**table, "tests": tuple(table["tests"])}) for table in tables]


def chosen(mutants: list[Mutant], wanted: str) -> list[Mutant]:
    """Return mutants whose id begins with one of the comma-separated words; without words all.

    Raises:
        ValueError: a word fits no mutant.
    """
    words = [word.strip() for word in wanted.split(",") if word.strip()]
    for word in words:
        if not any(mutant.id.startswith(word) for mutant in mutants):
            raise ValueError(f"ID={word}: no mutant's id begins so; see {CATALOGUE.relative_to(ROOT)}")
    return [mutant for mutant in mutants if not words or mutant.id.startswith(tuple(words))]
