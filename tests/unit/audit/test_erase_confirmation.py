"""`audit erase` on a terminal asks first, with the subject and the number of rows."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
import typer

from audit.adapters.payload_erasure import TypeSummary
from audit.commands.eraser import Meter
from audit.commands.erasing import confirm
from audit.handlers.erasing import Found
from chassis.process.command_line import EXIT_NO

AT = datetime(2026, 11, 30, tzinfo=UTC)
FOUND = Found(frozenset({1, 2}), 3, [TypeSummary("booking.created", 2, 4_000, AT, AT)])

Ask = Callable[..., bool]


def answering(questions: list[str], *, says: bool) -> Ask:
    def ask(question: str, *, err: bool) -> bool:
        assert err
        questions.append(question)
        return says

    return ask


def test_question_names_subjects_and_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    questions: list[str] = []
    monkeypatch.setattr(typer, "confirm", answering(questions, says=True))
    confirm(["jane@example.org", "a\x1b[2Jb", *"345678"], FOUND, asks=True)
    [question] = questions
    assert "2 payloads and 3 renderings of jane@example.org, a\ufffd[2Jb, 3, 4, 5, 3 more" in question


def test_no_ends_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(typer, "confirm", answering([], says=False))
    with pytest.raises(typer.Exit) as ended:
        confirm(["jane@example.org"], FOUND, asks=True)
    assert ended.value.exit_code == EXIT_NO


@pytest.mark.parametrize(("found", "asks"), [(FOUND, False), (Found(frozenset(), 0, []), True)])
def test_nothing_is_asked_in_scripts_and_where_nothing_is_stored(
    found: Found, asks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    questions: list[str] = []
    monkeypatch.setattr(typer, "confirm", answering(questions, says=False))
    confirm(["jane@example.org"], found, asks=asks)
    assert questions == []


def test_progress_that_never_began_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    Meter().stop()
    assert capsys.readouterr() == ("", "")
