"""The catalogue cannot rot: every mutant still fits the code, and its tests are there."""

import ast
from pathlib import Path

import pytest

from mutation.mutants import ROOT, Mutant, NotApplicableError, chosen, load

MUTANTS_MIN = 30

MUTANTS = load()


def mutant(mutant_id: str = "one", old: str = "b") -> Mutant:
    return Mutant(mutant_id, "a lost thing", "file.py", old, "x", ("tests",))


def test_ids_are_unique_and_many() -> None:
    assert len({each.id for each in MUTANTS}) == len(MUTANTS) >= MUTANTS_MIN


@pytest.mark.parametrize("each", MUTANTS, ids=lambda each: each.id)
def test_mutant_fits_the_code_and_leaves_it_readable(each: Mutant) -> None:
    mutated = each.applied_to((ROOT / each.file).read_text())
    assert each.lost
    assert "\n" not in each.lost
    if each.file.endswith(".py"):
        ast.parse(mutated)


@pytest.mark.parametrize("test", sorted({test for each in MUTANTS for test in each.tests}))
def test_tests_that_must_notice_are_there(test: str) -> None:
    path, *names = test.split("::")
    assert (ROOT / path).is_file()
    functions = {
        node.name
        for node in ast.walk(ast.parse(Path(ROOT / path).read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }
    assert {name.partition("[")[0] for name in names} <= functions


@pytest.mark.parametrize("text", ["a c", "b and b"])
def test_text_that_does_not_stand_exactly_once_is_refused_by_name(text: str) -> None:
    with pytest.raises(NotApplicableError, match=r"one: its `old` text stands \d times in file\.py"):
        mutant().applied_to(text)


def test_mutants_are_chosen_by_the_beginning_of_their_ids() -> None:
    given = [mutant("relay-lock"), mutant("relay-ack"), mutant("inbox-admit")]
    assert chosen(given, "relay-ack, inbox") == [given[1], given[2]]
    assert chosen(given, "") == given
    with pytest.raises(ValueError, match="ID=nobody"):
        chosen(given, "relay,nobody")
