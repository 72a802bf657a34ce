"""`plumbline up` and `plumbline down`: start, supervision and stop of a stack without leftovers."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping

from rich.console import Console
from rich.live import Live

from chassis.process.tables import joined
from plumbline import identity, recovery, status
from plumbline.display import StartDisplay
from plumbline.failure import StackError
from plumbline.identity import Identity
from plumbline.ledger import Ledger
from plumbline.recovery import Situation, StateLockedError
from plumbline.services import SERVICES, Service
from plumbline.stack import Stack
from plumbline.state_directory import StateDirectory

_REFRESH_SECONDS = 1.0
_SUPERVISOR_SECONDS_MAX = 60.0


class AlreadyRunningError(StackError):
    """A stack is already running from this state directory."""


async def up(
    directory: StateDirectory,
    *,
    detach: bool,
    environ: Mapping[str, str],
    console: Console,
    members: tuple[Service, ...] = SERVICES,
) -> bool:
    """Start a stack. If detached, return when it is ready; else supervise it until a stop signal.

    Return False if a component died under supervision, else True.

    Raises:
        AlreadyRunningError: a stack is already running; nothing was changed.
        StackError: the stack could not be started; no process is left running.
    """
    try:
        with recovery.exclusive(directory.lock):
            ledger = await _clean_ledger(directory, console)
            stopping = _stop_signals()
            display = StartDisplay(console)
            stack = Stack(directory, environ=environ, ledger=ledger, observer=display, members=members)
            with display:
                await _start(stack, ledger, stopping)
            if detach:
                ledger.detach()
                return True
            return await _supervise(stack, directory, ledger, stopping, console)
    except StateLockedError as error:
        supervisor = Ledger(directory.ledger).record.supervisor
        if supervisor is None or not supervisor.alive:
            raise
        raise AlreadyRunningError(_already_running(directory, f"pid {supervisor.pid}")) from error


async def down(directory: StateDirectory) -> bool:
    """Stop the stack of a state directory and keep its data. Return False if nothing was running."""
    if not directory.ledger.exists():
        return False
    supervisor = Ledger(directory.ledger).record.supervisor
    if supervisor is not None:
        await identity.end(supervisor, stop_seconds_max=_SUPERVISOR_SECONDS_MAX)
    with recovery.exclusive(directory.lock):
        ledger = Ledger(directory.ledger)
        await recovery.end_all(ledger.record)
        _forget(directory, ledger)
    return True


async def _clean_ledger(directory: StateDirectory, console: Console) -> Ledger:
    """End leftovers of a crash and return the ledger."""
    ledger = Ledger(directory.ledger)
    match recovery.classify(ledger.record, lambda process: process.alive):
        case Situation.RUNNING:
            raise AlreadyRunningError(_already_running(directory, "detached"))
        case Situation.LEFTOVERS:
            console.print("ending leftover processes of an earlier stack", highlight=False)
            await recovery.end_all(ledger.record)
            _forget(directory, ledger)
        case Situation.CLEAN:
            pass
    return ledger


def _already_running(directory: StateDirectory, how: str) -> str:
    return (
        f"a stack is already running from {directory.path} ({how}): use it, or stop it with `plumbline down`"
    )


def _forget(directory: StateDirectory, ledger: Ledger) -> None:
    directory.stack_file.unlink(missing_ok=True)
    directory.environments.unlink(missing_ok=True)
    ledger.clear()


def _stop_signals() -> asyncio.Event:
    """Return an event that Ctrl-C, SIGTERM or a closed terminal (except under nohup) sets."""
    stopping = asyncio.Event()
    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    for number in numbers:
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    return stopping


async def _start(stack: Stack, ledger: Ledger, stopping: asyncio.Event) -> None:
    ledger.begin(Identity.of("plumbline", os.getpid()))
    start, stop = asyncio.ensure_future(stack.start()), asyncio.ensure_future(stopping.wait())
    try:
        await asyncio.wait({start, stop}, return_when=asyncio.FIRST_COMPLETED)
        start.cancel()  # has no effect on a finished task
        await start
    except asyncio.CancelledError as error:
        ledger.close()
        raise StackError("stopped before everything was ready; no process is left running") from error
    except BaseException:
        ledger.close()
        raise
    finally:
        stop.cancel()


async def _supervise(
    stack: Stack, directory: StateDirectory, ledger: Ledger, stopping: asyncio.Event, console: Console
) -> bool:
    """Show the status until a stop signal comes; then stop the stack. Return False if a component died."""
    dead: set[str] = set()
    try:
        with Live(console=console, auto_refresh=False, transient=True) as live:
            while not stopping.is_set():
                components = await status.component_statuses(directory)
                for component in components:
                    if component.state == status.GONE and component.name not in dead:
                        dead.add(component.name)
                        message = f"{component.name} has ended {stack.log_tail(component.name)}"
                        console.print(message, style="red", markup=False, highlight=False)
                if console.is_terminal:
                    live.update(joined(status.table(components).lines(console.width)), refresh=True)
                await _pause(stopping)
        console.print("stopping", highlight=False)
    finally:
        await stack.stop()
        ledger.close()
    return not dead


async def _pause(stopping: asyncio.Event) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stopping.wait(), timeout=_REFRESH_SECONDS)
