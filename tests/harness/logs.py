"""What the processes wrote while a test ran, to be shown when it fails."""

from pathlib import Path

_LINES_MAX = 60


class LogBook:
    """Knows every process's log, and where it ended when the current test began."""

    def __init__(self) -> None:
        self._starts: dict[Path, int] = {}

    def watch(self, log: Path) -> None:
        """A new process writes to `log`."""
        self._starts.setdefault(log, 0)

    def turn_page(self) -> None:
        """A test begins: what was written before is not its business."""
        self._starts = {log: log.stat().st_size for log in self._starts if log.exists()}

    def written(self) -> dict[str, str]:
        """The ends of the logs that grew since, by the name of the log."""
        ends = {log.stem: _end(log, start) for log, start in self._starts.items() if log.exists()}
        return {name: end for name, end in ends.items() if end}


def _end(log: Path, start: int) -> str:
    with log.open("rb") as file:
        file.seek(start)
        return "\n".join(file.read().decode(errors="replace").splitlines()[-_LINES_MAX:])


LOGS = LogBook()
"""Of this session."""
