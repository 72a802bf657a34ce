"""What a person sees while a stack starts: phases and the download on a terminal, plain lines elsewhere."""

from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from plumbline.stack import READY


class StartDisplay:
    """Shows the phases of a start; use it with `with`. It is the stack's observer."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._parts = Progress(
            SpinnerColumn(finished_text="[green]✓"),
            TextColumn("{task.description:<16}"),
            TextColumn("{task.fields[text]:<12}"),
            TimeElapsedColumn(),
            console=console,
        )
        self._downloads = Progress(
            TextColumn("  {task.description}"), BarColumn(), DownloadColumn(), console=console
        )
        self._live = Live(Group(self._parts, self._downloads), console=console)
        self._tasks: dict[str, TaskID] = {}
        self._download: TaskID | None = None

    def phase(self, part: str, text: str) -> None:
        """As `stack.Observer.phase`."""
        if not self._console.is_terminal:
            self._console.print(f"{part}: {text}", highlight=False)
            return
        if part not in self._tasks:
            self._tasks[part] = self._parts.add_task(part, total=1, text=text)
        self._parts.update(self._tasks[part], text=text, completed=int(text == READY))

    def download(self, bytes_done: int, bytes_total: int) -> None:
        """As `stack.Observer.download`."""
        if self._download is None:
            self._download = self._downloads.add_task("Kafka, fetched once", total=bytes_total)
            if not self._console.is_terminal:
                self._console.print(f"kafka: fetching {bytes_total >> 20} MiB, once", highlight=False)
        self._downloads.update(self._download, completed=bytes_done)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()
