"""Reads the clocks of the exception queue once a minute (REC-9c)."""

import asyncio
from datetime import timedelta

from chassis import clock
from chassis.observability.logs import get_logger
from chassis.observability.metrics import Metrics
from chassis.postgres import Database
from chassis.process.component import LoopComponent, pause
from reconciler.adapters import exception_clocks
from reconciler.adapters.exception_clocks import CLOCKS
from reconciler.domain.classify import SEVERITIES
from reconciler.domain.clocks import Reading, Targets
from reconciler.domain.findings import EXCEPTION_TYPES
from reconciler.handlers.exception_clocks import notice_overdue, wake_all

_log = get_logger(__name__)

POLL_SECONDS = 60.0
# A step is counted when its transaction has certainly ended.
OBSERVED_AFTER = timedelta(minutes=1)
_HOUR = 3600.0
HOURS_BUCKETS = tuple(_HOUR * hours for hours in (0.25, 1, 2, 4, 8, 24, 48, 72, 120, 240, 480))


class ClockMeters:
    """Metrics of the queue; every series exists from the start.

    Args:
        metrics: `exceptions_open` by type and severity, `exceptions_overdue` by clock and severity,
            `exception_acknowledge_seconds` and `exception_resolve_seconds` by severity.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._open = metrics.gauge("exceptions_open")
        self._overdue = metrics.gauge("exceptions_overdue")
        self._seconds = {
            "acknowledge": metrics.seconds("exception_acknowledge_seconds", buckets=HOURS_BUCKETS),
            "resolve": metrics.seconds("exception_resolve_seconds", buckets=HOURS_BUCKETS),
        }
        for severity in SEVERITIES:
            for kind in EXCEPTION_TYPES:
                self._open.labels(kind, severity).set(0)
            for name in CLOCKS:
                self._overdue.labels(name, severity).set(0)
                self._seconds[name].labels(severity)

    async def refresh(self, database: Database, targets: Targets) -> None:
        """Count once and set the gauges. All replicas show the same values."""
        now = clock.now()
        async with database.transaction(readonly=True) as connection:
            still_open = await exception_clocks.count_open(connection)
            overdue = await exception_clocks.count_overdue(connection, Reading(now, targets))
        for severity in SEVERITIES:
            for kind in EXCEPTION_TYPES:
                self._open.labels(kind, severity).set(still_open.get((kind, severity), 0))
            for name in CLOCKS:
                self._overdue.labels(name, severity).set(overdue.get((name, severity), 0))

    async def observe(self, database: Database) -> None:
        """Count the times that ended since the last round, of one replica or another."""
        async with database.transaction() as connection:
            ended = await exception_clocks.take_ended(connection, until=clock.now() - OBSERVED_AFTER)
        for each in ended:
            self._seconds[each.clock].labels(each.severity).observe(each.after.total_seconds())


class ExceptionClocks(LoopComponent):
    """Wakes suppressed exceptions, publishes overdue ones, and counts.

    Every replica does; the rows decide which one acts.

    Args:
        database: of the service.
        targets: times by severity.
        metrics: as `ClockMeters` has them.
    """

    name = "exception-clocks"
    is_vital = False  # the queue works without clocks

    def __init__(
        self, database: Database, targets: Targets, metrics: Metrics, *, poll_seconds: float = POLL_SECONDS
    ) -> None:
        self._database = database
        self._targets = targets
        self._meters = ClockMeters(metrics)
        self._poll_seconds = poll_seconds

    async def _run(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            if woken := await wake_all(self._database):
                _log.info("suppressed exceptions woken", exceptions=woken)
            if overdue := await notice_overdue(self._database, self._targets):
                _log.warning("exceptions became overdue", exceptions=overdue)
            await self._meters.observe(self._database)
            await self._meters.refresh(self._database, self._targets)
            self._loop.recovered()
            await pause(stopping, self._poll_seconds)
