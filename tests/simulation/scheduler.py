"""Virtual time. A process is a generator that yields the seconds it sleeps; it can be stopped and killed."""

from collections.abc import Callable, Generator
from heapq import heappop, heappush

Sleeps = Generator[float, None, None]


class Process:
    """Something that runs by itself, from `begin` on again after it was killed."""

    def __init__(self, begin: Callable[[], Sleeps]) -> None:
        self.begin = begin
        self.sleeps: Sleeps | None = None
        self.stopped_until = 0.0

    def kill(self) -> None:
        """As SIGKILL: what it had in hand is gone, its sessions end."""
        if self.sleeps is not None:
            self.sleeps.close()
            self.sleeps = None


class Scheduler:
    """Runs processes in order of their time; equal times in order of asking."""

    def __init__(self, trace: Callable[[str], None] | None = None) -> None:
        self.now = 0.0
        self._trace = trace
        self._queue: list[tuple[float, int, Process, Sleeps]] = []
        self._asked = 0

    def start(self, process: Process) -> None:
        process.kill()
        process.sleeps = process.begin()
        process.stopped_until = 0.0
        self._ask(self.now, process, process.sleeps)

    def run_until(self, time: float) -> None:
        while self._queue and self._queue[0][0] <= time:
            at, _, process, sleeps = heappop(self._queue)
            if sleeps is not process.sleeps:
                continue
            if at < process.stopped_until:  # as SIGSTOP: it goes on where it was
                self._ask(process.stopped_until, process, sleeps)
                continue
            self.now = at
            for seconds in sleeps:
                self._ask(at + seconds, process, sleeps)
                break
        self.now = time

    def say(self, words: str, *things: object) -> None:
        if self._trace is not None:
            self._trace(f"{self.now:8.3f}  {words.format(*things)}")

    def _ask(self, at: float, process: Process, sleeps: Sleeps) -> None:
        self._asked += 1
        heappush(self._queue, (at, self._asked, process, sleeps))
