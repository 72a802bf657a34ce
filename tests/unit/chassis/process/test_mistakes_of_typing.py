"""The most likely mistakes of typing at commands: one line says what came and what is expected.

HTTP has its own list in tests/contract/test_mistakes_of_typing.py.
"""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest
import typer

from booking.__main__ import cli as booking
from chassis.cli import run_cli
from chassis.process.command_line import EXIT_COULD_NOT, database_failure
from chassis.process.terminal import plain_reason
from plumbline.__main__ import cli as plumbline
from reconciler.__main__ import cli as reconciler
from webhook_gateway.__main__ import cli as gateway

FOREIGN_WORDS = re.compile(r"Errno|Error:|\(\\'|Input should|Traceback|Usage:")
STAY = "--from 2026-12-01T10:00:00Z --to 2026-12-01T10:30:00Z"
DSN = "RECONCILER_POSTGRES_DSN"


def answer_of(
    cli: typer.Typer, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> str:
    monkeypatch.setattr("sys.argv", ["command", *line.split()])
    with pytest.raises(SystemExit) as ended:
        run_cli(cli, failures=["plumbline.failure:StackError"])
    assert ended.value.code == EXIT_COULD_NOT
    told = capsys.readouterr().err
    assert told.count("\n") == 1, told
    assert not FOREIGN_WORDS.search(told), told
    return told.strip()


@pytest.mark.parametrize(
    ("cli", "line", "expected"),
    [
        (reconciler, "runs --limit -1", 'error: --limit: expected 1 or more, got "-1"; `'),
        (reconciler, "runs --limit many", 'error: --limit: expected a whole number such as 50, got "many"'),
        (reconciler, "runs --limt 3", "error: --limt is unknown (did you mean --limit?)"),
        (
            reconciler,
            "run --scope yesterday",
            "error: --scope: 'yesterday' is no scope: expected all",
        ),
        (reconciler, "exceptions --status foo", "error: --status: 'foo' is unknown, choose one of open, ack"),
        (
            reconciler,
            "sweep --since yesterday",
            "error: --since yesterday: expected an RFC 3339 time",
        ),
        (reconciler, "follow 7", "error: '7' is no id of a run: `reconciler runs` lists them"),
        (reconciler, "follow", "error: RUN is missing; `"),
        (booking, "dead-letters list --reason foo", "error: --reason: expected one of 'malformed'"),
        (booking, "dead-letters list --older-than x", "error: "),
        (booking, "dead-letters discard x", "error: --reason is missing; `"),
        (booking, f"price --service walks {STAY}", "error: --service: 'walks' is unknown, choose one of"),
        (booking, f"price --service drop-in --pets -1 {STAY}", "error: --pets: "),
        (booking, "price --service drop-in --from 2026-12-01 --to x", "error: --from 2026-12-01: expected"),
        (booking, f"price {STAY}", "error: --service is missing; `"),
        (booking, "dead-leters list", 'error: "dead-leters" is no command: expected one of migrate, price'),
        (
            plumbline,
            "logs bookin",
            "error: 'bookin' is unknown: choose one of webhook-gateway, booking, audit, reconciler",
        ),
        (
            gateway,
            "sign --source strip --body README.md",
            "error: --source: strip is not configured; one of stripe, sms (did you mean stripe?)",
        ),
        (booking, "import /nowhere.ndjson", "error: /nowhere.ndjson: there is no such file or folder"),
        (plumbline, "topics aply", 'error: "aply" is no command: expected one of apply, acls (did you mean'),
    ],
)
def test_option_is_told_what_came_and_what_is_expected(
    cli: typer.Typer,
    line: str,
    expected: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(DSN, "postgresql://r@127.0.0.1:1/r")
    monkeypatch.setenv("BOOKING_POSTGRES_DSN", "postgresql://b@127.0.0.1:1/b")
    assert answer_of(cli, line, monkeypatch, capsys).startswith(expected)


def test_ctrl_c_while_modules_are_imported_prints_no_traceback(tmp_path: Path) -> None:
    # A module that every command imports, during which somebody presses Ctrl-C.
    (tmp_path / "typer.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGINT)\n")
    for module in ("booking", "audit", "reconciler", "webhook_gateway", "plumbline"):
        ended = subprocess.run(
            [sys.executable, "-m", module, "--version"],
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
            capture_output=True,
            check=False,
        )
        assert (ended.returncode, ended.stderr) == (-signal.SIGINT, b""), module


@pytest.mark.parametrize(
    ("dsn", "expected"),
    [
        ("localhost:5432/reconciler", "expected a connection string such as postgresql://USER:PASSWORD@HOST"),
        ("postgresql://r@127.0.0.1:1/r", "nothing listens at 127.0.0.1:1; correct host and port in the DSN"),
    ],
)
def test_address_that_leads_nowhere_is_told_in_words(
    dsn: str, expected: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(DSN, dsn)
    assert answer_of(reconciler, "exceptions", monkeypatch, capsys).startswith(f"error: {DSN}: {expected}")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (socket.gaierror(-2, "Name or service not known"), "its host is unknown; correct host and port"),
        (TimeoutError(), "no answer in time"),
        (
            asyncpg.InvalidCatalogNameError('database "x" does not exist'),
            'database "x" does not exist; ',
        ),
        (
            asyncpg.UndefinedTableError('relation "run" does not exist'),
            'relation "run" does not exist; ',
        ),
    ],
)
def test_database_that_does_not_serve_is_told_in_words(error: Exception, expected: str) -> None:
    assert str(database_failure(DSN, error)).startswith(f"{DSN}: {expected}")


def test_file_where_a_folder_belongs_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "state"
    file.write_text("")
    monkeypatch.setenv("PLUMBLINE_STATE", str(file))
    for command in ("up --detach", "status"):
        told = answer_of(plumbline, command, monkeypatch, capsys)
        assert "a file stands where a folder belongs; name another place" in told
        assert str(file) in told


def test_folder_where_a_file_belongs_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(DSN, raising=False)
    monkeypatch.setenv(f"{DSN}_FILE", str(tmp_path))
    told = answer_of(reconciler, "exceptions", monkeypatch, capsys)
    assert f"{DSN}_FILE: cannot read {tmp_path}: a folder stands where a file belongs" in told


def test_reason_of_an_error_without_words_is_its_first_line() -> None:
    assert plain_reason(ValueError("first\nsecond")) == "first"
