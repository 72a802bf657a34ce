"""Command line of the reconciler: a sender's text in a title does not steer the terminal."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from chassis.process.command_line import CommandError
from reconciler import __main__ as command_line
from reconciler.adapters.exception_queries import ExceptionRecord
from reconciler.adapters.run_queries import RunRecord
from reconciler.commands import exceptions as exception_commands
from reconciler.commands import runs as run_commands
from reconciler.domain.exceptions import ExceptionState
from reconciler.domain.filters import Position
from reconciler.handlers.queries import ExceptionList

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def answering(*answers: object) -> Callable[..., object]:
    """Return a stand-in for `query` that gives these answers in turn."""
    rest = iter(answers)
    return lambda *_args: next(rest)


def exception(title: str) -> ExceptionRecord:
    state = ExceptionState(
        id="7",
        type="payment_anomaly",
        booking_id="b-1\x9b2J",
        fingerprint="f",
        severity="high",
        difference="d",
    )
    return ExceptionRecord(
        state=state,
        drift_class=None,
        title=title,
        explanation={},
        amount=None,
        cause="c",
        first_seen_at=NOW,
        last_seen_at=NOW,
        position=Position(0, NOW, "7"),
    )


def test_list_shows_what_was_written_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    exceptions = ExceptionList(
        [exception("payment [red]pi_1\x1b[2J[/red]")], total=1, by_type={}, by_severity={}
    )
    monkeypatch.setenv("RECONCILER_POSTGRES_DSN", "postgresql://nowhere")
    monkeypatch.setattr(exception_commands, "query", answering(exceptions))
    shown = CliRunner().invoke(command_line.cli, ["exceptions"])
    assert shown.exit_code == 0, shown.output
    assert "payment [red]pi_1\ufffd[2J[/red]" in shown.stdout
    assert "b-1\ufffd2J" in shown.stdout
    assert not {character for character in shown.stdout if not character.isprintable()} - {"\n"}


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["resolve", "0000", "--as", "done", "--reason", "r"], "--as done: choose one of fixed, accepted"),
        (["resolve", "0000", "--as", "fixed", "--reason", " "], "--reason is empty"),
        (["suppress", "0000", "--until", "soon", "--reason", "r"], "--until: "),
        (["assign", "0000", "--to", "+1 312 555 0100"], "--to +1 312 555 0100: expected an id"),
        (["comment", "0000", "--text", "t", "--by", "a b"], "--by a b: expected an id"),
    ],
)
def test_wrong_argument_of_a_step_is_named_before_anything_is_done(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], problem: str
) -> None:
    monkeypatch.setenv("RECONCILER_POSTGRES_DSN", "postgresql://nowhere/x")
    done = CliRunner().invoke(command_line.cli, ["exceptions", *arguments])
    assert isinstance(done.exception, CommandError), done.output
    assert str(done.exception).startswith(problem)


@pytest.mark.parametrize("option", ["--occurrences", "--beyond"])
def test_number_that_http_refuses_is_refused_here_too(monkeypatch: pytest.MonkeyPatch, option: str) -> None:
    monkeypatch.setenv("RECONCILER_POSTGRES_DSN", "postgresql://nowhere/x")
    arguments = ["exceptions", "suppress", "0000", option, "9" * 20, "--reason", "r"]
    done = CliRunner().invoke(command_line.cli, arguments)
    assert (done.exit_code, option in done.output) == (2, True), done.output


@pytest.mark.parametrize(("drifted", "errored", "exit_code"), [(0, 0, 0), (1, 0, 1), (0, 1, 1)])
def test_run_fails_on_drift_and_on_what_could_not_be_checked(
    monkeypatch: pytest.MonkeyPatch, drifted: int, errored: int, exit_code: int
) -> None:
    ended = RunRecord(
        id="7",
        status="completed",
        trigger="cli",
        slot=None,
        requested_by="cli",
        requested_at=NOW,
        queued_at=NOW,
        started_at=NOW,
        finished_at=NOW,
        scanned=1,
        clean=1 - drifted - errored,
        drifted=drifted,
        skipped=0,
        errored=errored,
        sums={},
        error=None,
        scope="all",
        is_dry_run=False,
        cancelled_by=None,
        cancel_requested_at=None,
        progress=None,
    )
    monkeypatch.setattr(run_commands, "query", answering(ended, (ended, None)))
    assert CliRunner().invoke(command_line.cli, ["run", "--fail-on-drift"]).exit_code == exit_code
