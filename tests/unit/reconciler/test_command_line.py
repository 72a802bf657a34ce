"""What an operator is shown of exceptions: a title names what a sender wrote, and steers no terminal."""

from datetime import UTC, datetime
from typing import Any

import pytest
from typer.testing import CliRunner

from reconciler import __main__ as command_line
from reconciler.adapters.exception_list import ExceptionRow
from reconciler.handlers.lookups import WorkList

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def exception(title: str) -> ExceptionRow:
    members: dict[str, Any] = dict.fromkeys(("drift_class", "assignee", "resolved_at", "resolution"))
    return ExceptionRow(
        id="7",
        type="payment_anomaly",
        severity="high",
        status="open",
        booking_id="b-1\x9b2J",
        title=title,
        explanation={},
        occurrences=1,
        revision=1,
        first_seen_at=NOW,
        last_seen_at=NOW,
        position=(0, NOW, "7"),
        **members,
    )


def test_list_shows_what_was_written_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    found = WorkList([exception("payment [red]pi_1\x1b[2J[/red]")], total=1, by_type={}, by_severity={})
    monkeypatch.setattr(command_line, "_ask", lambda _: found)
    shown = CliRunner().invoke(command_line.cli, ["exceptions"])
    assert shown.exit_code == 0, shown.output
    assert "payment [red]pi_1\ufffd[2J[/red]" in shown.stdout
    assert "b-1\ufffd2J" in shown.stdout
    assert not {character for character in shown.stdout if not character.isprintable()} - {"\n"}
