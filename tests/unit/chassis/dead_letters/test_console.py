"""Output of the dead letter commands: a sender's text cannot control the terminal."""

from datetime import UTC, datetime
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from chassis.dead_letters.history import Failure, Outcome
from chassis.dead_letters.operator.cli import add_dead_letters
from chassis.dead_letters.operator.console import CommandContext, print_detail, print_list
from chassis.dead_letters.queries import WaitingKey
from chassis.postgres import Database
from chassis.process.command_line import EXIT_NO

STEER = "\x1b[2J\x9b8m\x07"
NOW = datetime(2026, 1, 2, tzinfo=UTC)
ITEM: dict[str, Any] = {
    "id": "7",
    "set_aside_at": NOW,
    "topic": f"t{STEER}",
    "key": f"k{STEER}",
    "reason": "bug",
    "attempts": 3,
    "error": f"E: {STEER}\nin two lines",
}
DETAIL: dict[str, Any] = {
    **ITEM,
    "event_id": f"id{STEER}\nstatus: replayed",
    "event_type": f"type{STEER}",
    "value_text": f"line 1{STEER}\n\tline 2",
    "headers": [{"name": f"name{STEER}", "value": f"value{STEER}\nheader x: y"}],
    "actions": [
        {
            "action": "replayed",
            "actor": f"ada{STEER}",
            "reason": f"fixed{STEER}",
            "error": f"E{STEER}\nlast",
            "recorded_at": NOW,
        }
    ],
}


def controls(text: str) -> set[str]:
    return {character for character in text if not character.isprintable()}


def test_list_holds_no_control_character(capsys: pytest.CaptureFixture[str]) -> None:
    print_list([ITEM], 1)
    shown = capsys.readouterr().out
    assert controls(shown) == {"\n"}
    assert "k\ufffd[2J" in shown


def test_detail_is_one_line_a_member_and_the_body_keeps_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    print_detail(DETAIL)
    shown = capsys.readouterr().out
    assert controls(shown) == {"\n", "\t"}
    lines = shown.splitlines()
    assert "\tline 2" in lines
    assert len(lines) == len(DETAIL) - 2 + 1 + 1 + 1  # members, the body's second line, a header, an action
    assert not [line for line in lines if line.startswith(("status:", "header x", "last"))]


def test_failure_of_a_replay_holds_no_control_character(monkeypatch: pytest.MonkeyPatch) -> None:
    failed = Outcome(0, (Failure("7", f"E{STEER}\nreplayed: 9"),))
    results = iter([[WaitingKey(("t", b"k"), 1)], failed])
    monkeypatch.setattr(CommandContext, "run", lambda *_: next(results))

    async def apply(*_: object) -> int:
        return 0

    cli = typer.Typer()
    add_dead_letters(cli, "sample", lambda: Database("", application_name="sample"), apply)
    shown = CliRunner().invoke(cli, ["dead-letters", "replay", "--all"])
    assert shown.exit_code == EXIT_NO
    assert controls(shown.stdout) == {"\n"}
    assert shown.stdout.splitlines() == [
        "replayed: 0, failed: 1",
        "7 failed again: E\ufffd[2J\ufffd8m\ufffd replayed: 9",
    ]
