"""`outbox status` for people: a session names itself as it likes, which is shown as text."""

from datetime import UTC, datetime

import pytest

from chassis.relay import cli
from chassis.relay.status import Owner, Waiting


def test_name_of_a_session_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    owner = Owner("[red]relay\x1b[2J[/red]", 7, None, datetime(2026, 1, 2, tzinfo=UTC))
    cli._print(cli.shape([Waiting(3, 0, None)], {3: owner}, counted_max=9))
    assert "[red]relay\ufffd[2J[/red] pid 7 at socket" in capsys.readouterr().out
