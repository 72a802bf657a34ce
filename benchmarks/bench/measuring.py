"""What a stretch of time cost: CPU of process trees, and how much of the machine others took."""

import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import psutil

_BUSY = ("user", "nice", "system", "irq", "softirq", "steal")
"""Of /proc/stat. `steal` went to other machines on the same host; waiting for a disk is no CPU."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Between two moments.

    Attributes:
        seconds: how long it was.
        cpu_seconds: by tree's name: the CPU time of a process and all its descendants.
        others_share: part of the machine's whole CPU taken by processes that are not ours, 0 to 1.
    """

    seconds: float
    cpu_seconds: Mapping[str, float]
    others_share: float


class Meter:
    """Measures from when it is made.

    Args:
        trees: name → pid of the root of each process tree to account for.
    """

    def __init__(self, trees: Mapping[str, int]) -> None:
        self._trees = dict(trees)
        self._before = self._read()
        self._began = time.monotonic()

    def read(self) -> Usage:
        """The usage until now."""
        seconds = time.monotonic() - self._began
        after = self._read()
        spent = {name: after[name] - self._before[name] for name in after}
        others = spent.pop("machine") - spent.pop("ours")
        share = others / (seconds * (psutil.cpu_count() or 1))
        return Usage(seconds, spent, max(0.0, share))

    def _read(self) -> dict[str, float]:
        times = psutil.cpu_times()
        return {
            "machine": sum(getattr(times, kind) for kind in _BUSY),
            "ours": tree_cpu_seconds(os.getpid()),
            **{name: tree_cpu_seconds(pid) for name, pid in self._trees.items()},
        }


def tree_cpu_seconds(pid: int) -> float:
    """CPU time of a process and its descendants, those that have ended and were waited for included."""
    root = psutil.Process(pid)
    total = 0.0
    for process in (root, *root.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):  # it has ended since: its parent's account has it
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total
