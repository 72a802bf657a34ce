"""The log output of processes during a test, for the report of a failing test."""

from pathlib import Path

_LINES_MAX = 60


class LogBook:
    """The logs of all processes, with their sizes at the start of the current test."""

    def __init__(self) -> None:
        self._starts: dict[Path, int] = {}

    def watch(self, log: Path) -> None:
        """Add the log of a new process."""
        self._starts.setdefault(log, 0)

    def start_test(self) -> None:
        """Remember the current sizes: `written` returns only later output."""
        self._starts = {log: log.stat().st_size for log in self._starts if log.exists()}

    def written(self) -> dict[str, str]:
        """Return the last lines written since the start of the test, by name of the log."""
        ends = {log.stem: _end(log, start) for log, start in self._starts.items() if log.exists()}
        return {name: end for name, end in ends.items() if end}


def _end(log: Path, start: int) -> str:
    with log.open("rb") as file:
        file.seek(start)
        return "\n".join(file.read().decode(errors="replace").splitlines()[-_LINES_MAX:])


LOGS = LogBook()
