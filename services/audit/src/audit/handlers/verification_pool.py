"""Processes that verify parts of the log beside each other."""

import asyncio
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import AsyncGenerator, Iterator
from concurrent.futures import ProcessPoolExecutor

from audit.handlers.verification_assembly import Scope
from audit.handlers.verification_loose import LooseReport, verify_loose, verify_loose_rows
from audit.handlers.verification_parts import Part, PartReport, verify_part, verify_part_here

_AHEAD = 2
# Workers are forked: they would otherwise import the whole command anew, a second of CPU each. No thread of
# this process holds anything that they use.
_PROCESSES = multiprocessing.get_context("fork")


async def reports(scope: Scope) -> AsyncGenerator[PartReport | LooseReport]:
    """Yield the reports of all parts in order, and that of the rows that belong to no leaf.

    A log of one part is verified here: starting processes would take longer.
    """
    sealed_through = scope.head.row.sealed_through if scope.head.row else 0
    parts = _parts(scope)
    if scope.whole - scope.start <= scope.part_leaves:
        yield await verify_loose_rows(scope.source, scope.size, sealed_through)
        for part in parts:
            yield await verify_part_here(scope.source, part)
        return
    workers = os.cpu_count() or 1
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(workers, mp_context=_PROCESSES, initializer=_leave_interrupts) as pool:
        loose = loop.run_in_executor(pool, verify_loose, scope.source, scope.size, sealed_through)
        running = deque[asyncio.Future[PartReport]]()
        try:
            for part in parts:
                running.append(loop.run_in_executor(pool, verify_part, scope.source, part))
                if len(running) >= workers + _AHEAD:
                    yield await running.popleft()
            while running:
                yield await running.popleft()
            yield await loose
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _leave_interrupts() -> None:
    """Let Ctrl-C reach this command alone, which ends its workers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _parts(scope: Scope) -> Iterator[Part]:
    start = scope.start
    while start < scope.whole:
        stop = min(scope.whole, (start // scope.part_leaves + 1) * scope.part_leaves)
        yield scope.part(start, stop)
        start = stop
