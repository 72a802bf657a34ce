"""The doctor's lines: what is wrong stands last, then the sum; nothing of Python in them."""

import sys
from pathlib import Path

import pytest
from rich.console import Console

from plumbline.doctor import network, report
from plumbline.doctor.backlogs import _dead_letters_problem
from plumbline.doctor.finding import Finding
from plumbline.doctor.report import report_lines

FINDINGS = [Finding("a", "is down: start it"), Finding("b"), Finding("c", note="7 active")]


def test_what_is_wrong_stands_last_with_the_sum() -> None:
    lines = [line.plain for line in report_lines(FINDINGS, ["tokens of callers: NOT CHECKED"])]
    assert lines == [
        "ok     b",
        "ok     c: 7 active",
        "tokens of callers: NOT CHECKED",
        "WRONG  a: is down: start it",
        "3 checks, 1 wrong",
    ]
    assert [line.plain for line in report_lines(FINDINGS[1:])][-1] == "2 checks, none wrong"


def test_colours_are_for_terminals_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[" in rendered(is_terminal=True)
    assert "\x1b[" not in rendered(is_terminal=False)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[31m" not in rendered(is_terminal=True)


def rendered(*, is_terminal: bool) -> str:
    console = Console(force_terminal=is_terminal, highlight=False)
    with console.capture() as captured:
        for line in report_lines(FINDINGS):
            console.print(line, soft_wrap=True)
    return captured.get()


@pytest.mark.parametrize(
    ("messages", "keys", "most", "runbook"),
    [(3, 1, 3, "dead-letters.md"), (1000, 1, 1000, "blocked-keys.md"), (1000, 1000, 1, "blocked-keys.md")],
)
def test_full_dead_letters_have_a_runbook_of_their_own(
    messages: int, keys: int, most: int, runbook: str
) -> None:
    assert _dead_letters_problem("booking", messages, keys, most).endswith(f"deploy/runbooks/{runbook}")


def test_service_that_is_paused_by_full_dead_letters_has_the_same_runbook() -> None:
    halted = "consumer: no room for more dead letters, paused: webhooks.stripe.v1[0]"
    assert network._advice(["relay: owns no shard", halted]) == "follow deploy/runbooks/blocked-keys.md"
    assert network._advice(["relay: owns no shard"]) == "see its log"


def test_advised_commands_are_found_by_the_shell_or_it_is_told_how(monkeypatch: pytest.MonkeyPatch) -> None:
    advised = [Finding("a", "run `plumbline databases apply`")]
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    (line,) = report.path_lines(advised)
    folder = Path(sys.executable).parent
    assert line == f'to run what is advised below: eval "$({folder}/plumbline env)"'
    assert report.path_lines(FINDINGS) == []
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin")
    assert report.path_lines(advised) == []
