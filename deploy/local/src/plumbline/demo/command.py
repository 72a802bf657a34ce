"""`plumbline demo`: start a fresh stack, play the day, print the tables and stop the stack."""

import asyncio
import shlex
import shutil
import signal
from collections.abc import Coroutine, Mapping
from dataclasses import replace

from rich.console import Console

from plumbline import dsn, own_commands, ports, stack_file, started_with, state_directory
from plumbline import up as stack_command
from plumbline.demo.run import DemoStack, run_day
from plumbline.demo.sealed_log import LogAccess
from plumbline.failure import StackError
from plumbline.state_directory import PORT_BASE_VARIABLE, STATE_VARIABLE, StateDirectory

_OWN_FOLDER = "demo"
_PORT_BASES = range(18080, 20080, 100)
_PORTS_NEEDED = (0, 1, 2, 3, 10, 11, 12)

# The demo shows the system as in production: deliveries without a valid signature are refused.
_SETTINGS = {
    "AUTH_MODE": "off",
    "ENABLE_WEBHOOK_VALIDATION": "true",
    "ENVIRONMENT": "development",
    "STRIPE_ACCOUNT": "",
    "STRIPE_MODE": "test",
    "TOPIC_PREFIX": "",
}


async def demo(environ: Mapping[str, str], console: Console, *, keep: bool = False) -> bool:
    """Start a stack, play the day and stop the stack. Return whether all checks passed.

    With `keep`, a stack whose day was played goes on running, and the next commands are printed.

    The demo has its own state directory and ports: another running stack is not touched.

    Raises:
        StackError: the stack could not be started, or the demo was interrupted. No process is left running.
    """
    directory = _state_directory(environ)
    await _wipe(directory)
    is_kept = False
    try:
        await stack_command.up(directory, detach=True, environ={**environ, **_SETTINGS}, console=console)
        problems = await _interruptible(_play(directory, console))
        is_kept = keep
    finally:
        if not is_kept:
            await stack_command.down(directory)
    if is_kept:
        console.print(_next_steps(directory), markup=False, highlight=False, soft_wrap=True)
    return not problems


def _next_steps(directory: StateDirectory) -> str:
    state = shlex.quote(str(directory.path.absolute()))
    return f"""
The day's stack is running. In this shell:
  export {STATE_VARIABLE}={state} {PORT_BASE_VARIABLE}={directory.port_base}
  eval "$({own_commands.plumbline()} env)"
  reconciler exceptions    what came back, and the payment of a cancelled booking
  curl "$AUDIT_URL/api/event-log?limit=5"
  curl "$BOOKING_URL/api/bookings?limit=3"
  plumbline down           stops it; the next demo begins anew"""


def _state_directory(environ: Mapping[str, str]) -> StateDirectory:
    """Return the demo's own folder in the caller's state directory, and free ports."""
    directory = state_directory.from_environment(environ)
    directory = replace(directory, path=directory.path / _OWN_FOLDER)
    return directory if environ.get(PORT_BASE_VARIABLE) else replace(directory, port_base=_free_base())


def _free_base() -> int:
    for base in _PORT_BASES:
        if all(ports.is_free(base + offset) for offset in _PORTS_NEEDED):
            return base
    raise StackError(f"no free ports for the demo from {_PORT_BASES[0]} on: set {PORT_BASE_VARIABLE}")


async def _wipe(directory: StateDirectory) -> None:
    """Stop the processes of a killed demo and remove its state."""
    await stack_command.down(directory)
    await asyncio.to_thread(shutil.rmtree, directory.path, ignore_errors=True)
    if directory.path.exists():
        raise StackError(f"{directory.path} cannot be removed: remove it, or set {STATE_VARIABLE}")


async def _play(directory: StateDirectory, console: Console) -> list[str]:
    content = stack_file.read(directory.stack_file)
    if content is None:
        raise StackError(f"{directory.stack_file} is missing: the stack was stopped while the demo ran")
    stack = DemoStack(
        urls=content["urls"],
        secrets=stack_file.secrets(content),
        booking_admin_dsn=dsn.at_database(content["postgres"]["admin_dsn"], "booking"),
        log=LogAccess(content["postgres"]["admin_dsn"], started_with.read(directory.environments)["audit"]),
    )
    return await run_day(stack, console)


async def _interruptible(day: Coroutine[None, None, list[str]]) -> list[str]:
    """Return the day's problems. Raise `StackError` if SIGINT, SIGTERM or SIGHUP comes first."""
    loop, stopping = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stopping.set)
    playing, stop = asyncio.create_task(day), asyncio.create_task(stopping.wait())
    await asyncio.wait({playing, stop}, return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    if not playing.done():
        playing.cancel()
        await asyncio.wait({playing})
        raise StackError("the demo was interrupted; no process is left running")
    return await playing
