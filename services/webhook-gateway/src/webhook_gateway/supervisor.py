"""The command `serve`: one worker, or several on shared listening sockets, replaced when they end (GW-15).

All workers accept from one queue: connections that wait when a worker is killed go to the others. With a
socket each (SO_REUSEPORT) the kernel would reset them. Workers are forked, so no thread may run before.
"""

import os
import select
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from chassis.http.internal_port import listen
from chassis.observability.logs import configure_logs, get_logger
from chassis.process.command_line import EXIT_COULD_NOT, EXIT_NO, CommandError
from chassis.process.environment import load_settings
from chassis.process.output import end_guard
from chassis.process.terminal import plain_reason
from chassis.service import run_service
from webhook_gateway.adapters.worker import Worker
from webhook_gateway.main import build
from webhook_gateway.settings import SERVICE, GatewaySettings, configured_sources

WORKERS_MAX = 64

RESTART_SECONDS = (0.1, 0.5, 1.0, 2.0, 5.0)
# A worker may end so often in a row before it has started, while no other one runs. Then all end.
FAILURES_MAX = 5
TICK_SECONDS = 0.2
_STOP = {signal.SIGTERM, signal.SIGINT}
_SIGNALS = {*_STOP, signal.SIGHUP, signal.SIGCHLD}
_log = get_logger(__name__)


@dataclass(slots=True)
class _Slot:
    worker: Worker
    pid: int = 0  # 0: no process
    start_at: float = 0.0
    failures: int = 0


class Supervisor:
    """The parent process of the workers.

    Args:
        workers: to be run.
        run: runs a worker in its own process and returns the exit code.
        stop_seconds_max: workers that need longer to stop are killed.
    """

    def __init__(self, workers: list[Worker], run: Callable[[Worker], int], stop_seconds_max: float) -> None:
        self._slots = [_Slot(worker) for worker in workers]
        self._run_worker, self._stop_seconds_max = run, stop_seconds_max
        self._kill_at: float | None = None
        self._exit_code = 0

    def run(self) -> int:
        """Run the workers until SIGTERM or SIGINT. Return 0, or 1 if none could start."""
        received, written = os.pipe()
        os.set_blocking(written, False)
        signal.set_wakeup_fd(written)  # every signal is a byte with its number
        for number in _SIGNALS:
            signal.signal(number, lambda _number, _frame: None)
        while self._kill_at is None or any(slot.pid for slot in self._slots):
            self._start_or_kill(time.monotonic())
            signals = os.read(received, 64) if select.select([received], [], [], TICK_SECONDS)[0] else b""
            if signal.SIGHUP in signals:
                self._send(signal.SIGHUP)
            if _STOP.intersection(signals):
                self._stop()
            for slot in self._slots:
                if slot.pid and (ended := os.waitpid(slot.pid, os.WNOHANG))[0]:
                    self._replace(slot, os.waitstatus_to_exitcode(ended[1]))
        return self._exit_code

    def _stop(self) -> None:
        self._kill_at = self._kill_at or time.monotonic() + self._stop_seconds_max
        self._send(signal.SIGTERM)

    def _send(self, number: signal.Signals) -> None:
        for slot in self._slots:
            if slot.pid:
                os.kill(slot.pid, number)

    def _start_or_kill(self, now: float) -> None:
        for slot in self._slots:
            if self._kill_at is None and not slot.pid and now >= slot.start_at:
                self._fork(slot)
        if self._kill_at is not None and now >= self._kill_at:
            self._send(signal.SIGKILL)

    def _fork(self, slot: _Slot) -> None:
        # Blocked signals wait until the child has its own dispositions.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        slot.pid = os.fork()
        if slot.pid:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            return
        code = EXIT_COULD_NOT
        try:
            signal.set_wakeup_fd(-1)
            for number in _SIGNALS:  # SIGHUP: a starting worker loads everything anyway
                signal.signal(number, signal.SIG_IGN if number == signal.SIGHUP else signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            code = self._run_worker(slot.worker)
        except BaseException:  # noqa: BLE001 - the frames below are the parent's
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(code)

    def _replace(self, slot: _Slot, exit_code: int) -> None:
        worker, slot.pid = slot.worker, 0
        slot.failures = 0 if worker.has_started() else slot.failures + 1
        worker.clean_up()
        if self._kill_at is not None:
            return
        delay = RESTART_SECONDS[min(slot.failures, len(RESTART_SECONDS) - 1)]
        slot.start_at = time.monotonic() + delay
        _log.warning("worker ended", worker=worker.number, exit_code=exit_code, again_in_seconds=delay)
        is_hopeless = slot.failures and (exit_code == EXIT_NO or slot.failures >= FAILURES_MAX)
        if is_hopeless and not any(each.worker.has_started() for each in self._slots):
            _log.error("no worker could start")
            self._exit_code = EXIT_NO
            self._stop()


def add_serve_command(cli: typer.Typer) -> None:
    """Add the command `serve`."""

    @cli.command()
    def serve(
        workers: Annotated[
            int, typer.Option(min=1, max=WORKERS_MAX, help="How many processes share the port.")
        ] = 1,
    ) -> None:
        """Run the service until SIGTERM or Ctrl-C; SIGHUP reloads secrets and sources.

        One worker is one process. With more, a supervisor starts them on one port, replaces one that ends,
        and passes signals on; metrics and readiness cover all of them. Give each about one CPU.
        """
        settings = load_settings(GatewaySettings)
        if workers == 1:
            raise typer.Exit(run_service(SERVICE, settings, lambda: build(settings)))
        configured_sources(settings)  # a mistake ends the command, not each of the workers
        raise typer.Exit(_supervise(settings, workers))


def _supervise(settings: GatewaySettings, count: int) -> int:
    end_guard()
    configure_logs(SERVICE, log_format=settings.log_format, level=settings.log_level)
    public = (settings.webhook_gateway_host, settings.webhook_gateway_port)
    addresses = [public, *filter(None, [settings.internal_address])]
    try:
        sockets = [listen(*address) for address in addresses]
    except OSError as error:
        where = " and ".join(f"{host}:{port}" for host, port in addresses)
        raise CommandError(f"cannot listen on {where}: {plain_reason(error)}") from None

    def run(worker: Worker) -> int:
        return run_service(SERVICE, settings, lambda: build(settings, worker))

    with tempfile.TemporaryDirectory(prefix=f"{SERVICE}-") as directory:
        workers = [Worker(number, count, sockets, Path(directory)) for number in range(1, count + 1)]
        # Requests in flight and components each get `stop_seconds_max`.
        return Supervisor(workers, run, 2 * settings.stop_seconds_max).run()
