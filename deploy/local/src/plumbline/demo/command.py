"""`plumbline demo`: a fresh stack, the day, the tables, and everything stopped again."""

import asyncio
import shutil
import signal
from collections.abc import Coroutine, Mapping
from dataclasses import replace

from rich.console import Console

from plumbline import dsn, ports, stack_file, state_directory
from plumbline import up as stack_command
from plumbline.demo.run import DemoStack, run_day
from plumbline.failure import StackError
from plumbline.state_directory import PORT_BASE_VARIABLE, StateDirectory

_OWN_FOLDER = "demo"
_PORT_BASES = range(18080, 20080, 100)
_PORTS_NEEDED = (0, 1, 2, 3, 10, 11, 12)

_COLUMNS_WITHOUT_TERMINAL = 140

_SETTINGS = {
    "AUTH_MODE": "off",
    "ENABLE_WEBHOOK_VALIDATION": "true",
    "ENVIRONMENT": "development",
    "STRIPE_ACCOUNT": "",
    "STRIPE_MODE": "test",
    "TOPIC_PREFIX": "",
}
"""The demo shows the system as it is meant to run: nothing unsigned gets in."""


def demo_console() -> Console:
    """The terminal, or lines wide enough for the tables where there is none."""
    console = Console()
    return console if console.is_terminal else Console(width=_COLUMNS_WITHOUT_TERMINAL)


async def demo(environ: Mapping[str, str], console: Console) -> bool:
    """Start a stack in a state directory of its own, play the day, stop it. True if all was well.

    A stack that runs already is left alone: the demo has its own state and ports.

    Raises:
        StackError: the stack could not be started, or was interrupted; nothing is left running.
    """
    here = _place(environ)
    await _wipe(here)
    try:
        await stack_command.up(here, detach=True, environ={**environ, **_SETTINGS}, console=console)
        return not await _interruptible(_play(here, console))
    finally:
        await stack_command.down(here)


def _place(environ: Mapping[str, str]) -> StateDirectory:
    """The caller's state directory with a folder of our own, and ports that are free."""
    here = state_directory.from_environment(environ)
    here = replace(here, path=here.path / _OWN_FOLDER)
    return here if environ.get(PORT_BASE_VARIABLE) else replace(here, port_base=_free_base())


def _free_base() -> int:
    for base in _PORT_BASES:
        if all(ports.is_free(base + offset) for offset in _PORTS_NEEDED):
            return base
    raise StackError(f"no free ports for the demo from {_PORT_BASES[0]} on: set {PORT_BASE_VARIABLE}")


async def _wipe(here: StateDirectory) -> None:
    """A demo begins with nothing; what a killed one has left running is ended first."""
    await stack_command.down(here)
    await asyncio.to_thread(shutil.rmtree, here.path, ignore_errors=True)
    if here.path.exists():
        raise StackError(f"{here.path} cannot be removed: remove it, or set {state_directory.STATE_VARIABLE}")


async def _play(here: StateDirectory, console: Console) -> list[str]:
    content = stack_file.read(here.stack_file)
    if content is None:
        raise StackError(f"{here.stack_file} is gone: the stack was stopped while the demo ran")
    stack = DemoStack(
        urls=content["urls"],
        secrets=content["secrets"],
        booking_admin_dsn=dsn.at_database(content["postgres"]["admin_dsn"], "booking"),
    )
    return await run_day(stack, console)


async def _interruptible(day: Coroutine[None, None, list[str]]) -> list[str]:
    """The day's findings, unless Ctrl-C or its like comes first: then `StackError`."""
    loop, stopping = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stopping.set)
    playing, stop = asyncio.create_task(day), asyncio.create_task(stopping.wait())
    await asyncio.wait({playing, stop}, return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    if not playing.done():
        playing.cancel()
        await asyncio.wait({playing})
        raise StackError("the demo was interrupted; nothing is left running")
    return await playing
