"""The catalogue cannot rot: every mutant still fits the code, and its tests are there."""

import ast
from pathlib import Path

import pytest

from mutation.fragments import replaced, replaced_in_strings, replaced_text
from mutation.mutants import ROOT, SIMULATION, Mutant, NotApplicableError, load, select

MUTANTS_MIN = 30

MUTANTS = load()


def mutant(mutant_id: str = "one", old: str = "b") -> Mutant:
    return Mutant(id=mutant_id, lost="a lost thing", file="file.py", old=old, new="x", tests=("tests",))


def test_ids_are_unique_and_many() -> None:
    assert len({each.id for each in MUTANTS}) == len(MUTANTS) >= MUTANTS_MIN


@pytest.mark.parametrize("each", MUTANTS, ids=lambda each: each.id)
def test_mutant_fits_the_code_and_leaves_it_readable(each: Mutant) -> None:
    text = (ROOT / each.file).read_text()
    mutated = each.applied_to(text)
    assert each.lost
    assert "\n" not in each.lost
    if each.file.endswith(".py"):
        assert ast.dump(ast.parse(mutated)) != ast.dump(ast.parse(text))


@pytest.mark.parametrize(
    "test", sorted({test for each in MUTANTS for test in each.tests if each.tests != SIMULATION})
)
def test_tests_that_must_notice_are_there(test: str) -> None:
    path, *names = test.split("::")
    assert (ROOT / path).is_file()
    functions = {
        node.name
        for node in ast.walk(ast.parse(Path(ROOT / path).read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }
    assert {name.partition("[")[0] for name in names} <= functions


@pytest.mark.parametrize("text", ["a(c)", "b(b)"])
def test_fragment_that_does_not_occur_exactly_once_is_refused_by_name(text: str) -> None:
    with pytest.raises(NotApplicableError, match=r"one: `old` occurs [02] times in file\.py"):
        mutant().applied_to(text)


def test_mutants_are_selected_by_the_beginning_of_their_ids() -> None:
    given = [mutant("relay-lock"), mutant("relay-ack"), mutant("inbox-admit")]
    assert select(given, "relay-ack, inbox") == [given[1], given[2]]
    assert select(given, "") == given
    with pytest.raises(ValueError, match="ID=nobody"):
        select(given, "relay,nobody")


CODE = """
class Relay:
    async def publish(self, rows, limit=3):
        # sends in order
        for row in rows:
            if (
                row.tries < limit
                and not row.held
            ):
                await self.send(row, acks="all", key=row.key)

    def stop(self):
        self.held = False
"""


@pytest.mark.parametrize(
    ("old", "new", "result"),
    [
        pytest.param("row.tries < limit and not row.held", "True", "if True:", id="line breaks"),
        pytest.param("r.tries < n", "r.tries < n + 1", "row.tries < limit + 1", id="renamed locals"),
        pytest.param(
            "for row in rows:\n    ...", "for row in rows[:1]:\n    ...", "in rows[:1]:", id="any body"
        ),
        pytest.param("for row in rows:\n    ...", "...", "        if row.tries", id="body alone"),
        pytest.param("...(acks='all')", "...(acks=1)", "acks=1)", id="keyword"),
        pytest.param("...(acks='all')", "...()", "self.send(row, key=row.key)", id="no keyword"),
        pytest.param(
            "if row.tries < limit and not row.held:\n    ...", "pass", "            pass", id="statement"
        ),
    ],
)
def test_fragment_is_found_by_its_syntax_and_replaced(old: str, new: str, result: str) -> None:
    mutated, found = replaced(CODE, "Relay.publish", old, new)
    assert found == 1
    assert result in mutated
    assert "self.held = False" in mutated


@pytest.mark.parametrize(
    ("function", "old"),
    [
        pytest.param("Relay.stop", "not row.held", id="in another function"),
        pytest.param("Relay.publish", "row.tries < rows", id="two names for one"),
        pytest.param("Relay.publish", "other.tries < limit and not row.held", id="one name for two"),
        pytest.param("Relay.nobody", "row", id="no such function"),
    ],
)
def test_fragment_is_not_found(function: str, old: str) -> None:
    assert replaced(CODE, function, old, "False") == (CODE, 0)


def test_text_is_found_with_other_white_space() -> None:
    assert replaced_text("a\n  b c", "a b", "x") == ("x c", 1)
    mutated, found = replaced_in_strings("SQL = '''SELECT\n 1 FOR\n UPDATE'''", "", "FOR UPDATE", "")
    assert (found, "UPDATE" in mutated) == (1, False)
