"""Display of a stack's start: phases and download progress on a terminal, plain lines elsewhere."""

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
    """Observer of a stack that shows the phases of a start; use it with `with`."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._components = Progress(
            SpinnerColumn(finished_text="[green]✓"),
            TextColumn("{task.description:<16}"),
            TextColumn("{task.fields[text]:<12}"),
            TimeElapsedColumn(),
            console=console,
        )
        self._downloads = Progress(
            TextColumn("  {task.description}"), BarColumn(), DownloadColumn(), console=console
        )
        self._live = Live(Group(self._components, self._downloads), console=console)
        self._tasks: dict[str, TaskID] = {}
        self._download: TaskID | None = None

    def phase(self, component: str, text: str) -> None:
        if not self._console.is_terminal:
            self._console.print(f"{component}: {text}", highlight=False)
            return
        if component not in self._tasks:
            self._tasks[component] = self._components.add_task(component, total=1, text=text)
        self._components.update(self._tasks[component], text=text, completed=int(text == READY))

    def download(self, bytes_done: int, bytes_total: int) -> None:
        if self._download is None:
            self._download = self._downloads.add_task("Kafka (once)", total=bytes_total)
            if not self._console.is_terminal:
                self._console.print(f"kafka: downloading {bytes_total >> 20} MiB (once)", highlight=False)
        self._downloads.update(self._download, completed=bytes_done)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()
