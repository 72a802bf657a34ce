"""`outbox status` for people: the name that a session chooses is printed as plain text."""

from datetime import UTC, datetime

import pytest

from chassis.relay import cli
from chassis.relay.status import ShardBacklog, ShardOwner


def test_name_of_a_session_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    owner = ShardOwner("[red]relay\x1b[2J[/red]", 7, None, datetime(2026, 1, 2, tzinfo=UTC))
    cli._print(cli.build_report([ShardBacklog(3, 0, None)], {3: owner}, counted_max=9))
    assert "[red]relay\ufffd[2J[/red]    7  socket" in capsys.readouterr().out
