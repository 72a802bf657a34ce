"""Progress says nothing of short work, a bar on a terminal, and a line now and then elsewhere."""

import io
import sys
import time as clock

import pytest

from chassis.process.progress import LINE_SECONDS_MIN, SECONDS_MIN, Progress


class Output(io.StringIO):
    """Standard error that is a terminal, or is none."""

    def __init__(self, *, is_terminal: bool) -> None:
        super().__init__()
        self.is_terminal = is_terminal

    def isatty(self) -> bool:
        return self.is_terminal


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return a clock: its only item is the time."""
    time = [100.0]
    monkeypatch.setattr(clock, "monotonic", lambda: time[0])
    return time


def test_elsewhere_a_line_is_written_every_few_seconds(
    now: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    output = Output(is_terminal=False)
    monkeypatch.setattr(sys, "stderr", output)
    with Progress() as meter:
        for seconds in (0.0, LINE_SECONDS_MIN - 0.1, 0.2, 0.2, LINE_SECONDS_MIN):
            now[0] += seconds
            meter.show(f"at {now[0] - 100:.1f}", 1, 2)
    assert output.getvalue() == "at 5.1\nat 10.3\n"


def test_terminal_has_a_bar_after_two_seconds_that_goes_away(
    now: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    output = Output(is_terminal=True)
    monkeypatch.setattr(sys, "stderr", output)
    monkeypatch.setenv("TERM", "xterm")
    with Progress() as meter:
        meter.show("verify: 1 of 2 [entries]", 1, 2)
        now[0] += SECONDS_MIN
        assert output.getvalue() == ""
        meter.show("verify: 2 of 2 [entries]", 2, 2)
        meter.stop()
        assert "verify: 2 of 2 [entries]" in output.getvalue(), "the text is no markup"
        before = output.getvalue()
        meter.show("rewrite: 1 of 1", 1, 1)
    assert "rewrite: 1 of 1" in output.getvalue().removeprefix(before), "it comes back after a question"
