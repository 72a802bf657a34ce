"""Identity of a process: pid and start time, because the system reuses pids."""

import signal
from dataclasses import dataclass

import psutil

from plumbline import waiting

# A start time is computed from the boot time, which changes when the clock is adjusted.
_START_DRIFT_SECONDS_MAX = 2.0

_KILL_SECONDS_MAX = 10.0


@dataclass(frozen=True, slots=True)
class Identity:
    """One process. `started_at` is in seconds since the epoch; `stop_signal` requests a graceful stop."""

    name: str
    pid: int
    started_at: float
    stop_signal: int = signal.SIGTERM

    @classmethod
    def of(cls, name: str, pid: int, stop_signal: int = signal.SIGTERM) -> "Identity":
        """Return the identity of a running process."""
        return cls(name, pid, psutil.Process(pid).create_time(), int(stop_signal))

    def find(self) -> psutil.Process | None:
        """Return the process; None if the process has ended, is a zombie, or its pid was reused."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started_at) <= _START_DRIFT_SECONDS_MAX
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None

    @property
    def alive(self) -> bool:
        return self.find() is not None


async def end(identity: Identity, *, stop_seconds_max: float) -> None:
    """Stop the process, kill it after `stop_seconds_max`, and kill its descendants.

    With 0 seconds, kill the process immediately. Return when no process of the family is left.
    """
    process = identity.find()
    if process is None:
        return
    family = [identity, *_descendants(process)]
    if stop_seconds_max > 0:
        _send(identity, identity.stop_signal)
        await waiting.until(lambda: _gone([identity]), seconds_max=stop_seconds_max)
    family += [child for child in _descendants(process) if child not in family]
    for member in family:
        _send(member, signal.SIGKILL)
    await waiting.until(lambda: _gone(family), seconds_max=_KILL_SECONDS_MAX)


def _descendants(process: psutil.Process) -> list[Identity]:
    try:
        children = process.children(recursive=True)
        return [Identity(f"child of {process.pid}", child.pid, child.create_time()) for child in children]
    except psutil.NoSuchProcess:
        return []


def _send(identity: Identity, number: int) -> None:
    if process := identity.find():
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            return


async def _gone(identities: list[Identity]) -> bool:
    return not any(identity.alive for identity in identities)
