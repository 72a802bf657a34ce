"""One of several workers on one port (GW-15): who it is, and metrics and readiness of all of them."""

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from socket import socket
from typing import Any

from prometheus_client import CollectorRegistry, Gauge, generate_latest, values
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from chassis.observability.logs import get_logger
from chassis.observability.metrics import Metrics
from chassis.process.component import BackgroundLoop, pause
from chassis.process.health import CHECK_SECONDS_MAX, Check, Health

PARENT_SECONDS = 1.0
# A worker answers after its own checks, each of which is bounded.
ANSWER_SECONDS_MAX = CHECK_SECONDS_MAX + 1.0

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker process.

    Attributes:
        number: from 1 to `count`; a replacement gets the number of the worker that ended.
        count: of all workers.
        sockets: the listening sockets, shared by all workers.
        directory: private to the workers of one supervisor.
    """

    number: int
    count: int
    sockets: Sequence[socket]
    directory: Path

    def socket_path(self, number: int) -> Path:
        """Return the path of the socket on which a worker that has started reports its readiness."""
        return self.directory / f"worker-{number}.sock"

    def has_started(self) -> bool:
        """Return whether the worker has started, and not stopped since."""
        return self.socket_path(self.number).exists()

    def clean_up(self) -> None:
        """Delete the socket and the gauges of a worker that has ended; its counters stay."""
        for path in [self.socket_path(self.number), *self.directory.glob(f"gauge_live*_{self.number}.db")]:
            path.unlink(missing_ok=True)


class SharedMetrics(Metrics):
    """Metrics summed over all workers, in prometheus_client's multiprocess mode.

    Counts stand in mapped files and survive the worker that made them: no counter goes backwards.
    `process_*` and `python_*` of a single worker would be misleading and are not exposed.
    """

    # How a gauge adds up; the maximum where nothing is said here.
    _MODES: Mapping[str, Any] = {
        "requests_in_flight": "livesum",
        "bodies_bytes": "livesum",
        "refusals_waiting": "livesum",
        "reload_ok": "livemin",
        "reloaded_timestamp_seconds": "livemin",
    }

    def __init__(self, service: str, worker: Worker) -> None:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(worker.directory)
        # Files are named by the worker's number instead of its process id: a replacement counts on.
        library: Any = values  # without types
        library.ValueClass = library.MultiProcessValue(lambda: worker.number)
        self._directory = str(worker.directory)
        self._computed = CollectorRegistry()
        super().__init__(service)

    def gauge(self, name: str) -> Gauge:
        mode = self._MODES.get(name, "max")
        return Gauge(*self._definition("gauge", name), registry=self.registry, multiprocess_mode=mode)

    def register(self, collector: Collector) -> None:
        self._computed.register(collector)

    def expose(self) -> bytes:
        merged = CollectorRegistry()
        MultiProcessCollector(merged, path=self._directory)
        return generate_latest(merged) + generate_latest(self._computed)


class SharedHealth(Health):
    """Readiness of all workers: the checks of this one, and one check that asks the others."""

    def __init__(self, worker: Worker) -> None:
        super().__init__()
        self._worker = worker

    async def report(self) -> tuple[bool, Mapping[str, object]]:
        others = [number for number in range(1, self._worker.count + 1) if number != self._worker.number]
        (is_ready, own), problems = await asyncio.gather(
            self.own_report(), asyncio.gather(*map(self._problem, others))
        )
        detail = "; ".join(problem for problem in problems if problem)
        is_ready = is_ready and not detail
        checks: Any = own["checks"]
        workers = asdict(Check(ok=not detail, detail=detail))
        return is_ready, {
            "status": "ready" if is_ready else "not_ready",
            "checks": {**checks, "workers": workers},
        }

    async def own_report(self) -> tuple[bool, Mapping[str, object]]:
        """Return the readiness of this worker alone."""
        return await super().report()

    async def _problem(self, number: int) -> str:
        """Return why a worker is not ready; empty if it is."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                reader, writer = await asyncio.open_unix_connection(self._worker.socket_path(number))
                answer = await reader.read()
                writer.close()
        except OSError:  # a timeout is one, too
            return f"worker {number} has not started"
        return answer.decode()


class WorkerPresence:
    """Component that reports this worker's readiness to the others, and stops it without a supervisor.

    It starts last: the supervisor takes a worker for started when its socket is there.

    Args:
        worker: this worker.
        health: its readiness.
    """

    name = "worker"

    def __init__(self, worker: Worker, health: SharedHealth) -> None:
        self._worker = worker
        self._health = health
        self._path = worker.socket_path(worker.number)
        self._supervisor = os.getppid()
        self._server: asyncio.Server | None = None
        self._loop = BackgroundLoop(self.name, self._watch_supervisor)

    async def start(self) -> None:
        self._server = await asyncio.start_unix_server(self._answer, self._path)
        await self._loop.start()

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        with suppress(FileNotFoundError):
            self._path.unlink()
        await self._loop.stop()

    async def check(self) -> Check:
        return Check(ok=True, detail=f"{self._worker.number} of {self._worker.count}")

    async def _answer(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        is_ready, report = await self._health.own_report()
        checks: Any = report["checks"]
        failed = [f"{name}: {check['detail']}" for name, check in checks.items() if not check["ok"]]
        writer.write(b"" if is_ready else f"worker {self._worker.number}: {', '.join(failed)}".encode())
        writer.close()

    async def _watch_supervisor(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            if os.getppid() != self._supervisor:
                _log.error("the supervisor has ended: this worker stops")
                signal.raise_signal(signal.SIGTERM)
                await stopping.wait()
            await pause(stopping, PARENT_SECONDS)
