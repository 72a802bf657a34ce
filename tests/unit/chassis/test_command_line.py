"""What a command could not do is one line, whatever its cause wrote."""

import asyncpg
import pytest

from chassis.cli import build_cli, run_cli
from chassis.process.command_line import EXIT_COULD_NOT, CommandError, database_failure


def test_reason_is_one_line_that_cannot_steer_the_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cli = build_cli("sample")

    @cli.command()
    def fail() -> None:  # pyright: ignore[reportUnusedFunction] - the command line calls it
        raise CommandError("run 7 failed: \x1b[2Jall is well\nok")

    monkeypatch.setattr("sys.argv", ["sample", "fail"])
    with pytest.raises(SystemExit) as ended:
        run_cli(cli)
    assert ended.value.code == EXIT_COULD_NOT
    assert capsys.readouterr().err == "error: run 7 failed: \ufffd[2Jall is well ok\n"


def test_error_of_the_database_is_its_first_line() -> None:
    error = asyncpg.InsufficientPrivilegeError('permission denied for schema "sample"')
    error.detail = "a second line"
    said = str(database_failure("postgres:sample", error))
    assert said.startswith('postgres:sample: permission denied for schema "sample"; give the DSN')
    assert "a second line" not in said


def test_table_that_is_not_there_names_the_command_that_makes_it() -> None:
    error = asyncpg.UndefinedTableError('relation "outbox" does not exist')
    assert str(database_failure("sample", error)).endswith(
        "database, run the service's `migrate`; else correct the DSN"
    )
