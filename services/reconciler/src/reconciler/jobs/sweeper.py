"""Requests and executes sweeps of Stripe's lists, one at a time in the whole deployment (REC-13).

One process holds a session advisory lock on a connection of its own, as the executor of runs does. Waits
between failed requests stand in the table, so that they survive the process.
"""

import asyncio
import time
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from chassis import clock
from chassis.observability.logs import get_logger
from chassis.observability.metrics import Metrics
from chassis.postgres import Database, Session
from chassis.postgres.advisory_locks import RECONCILER_SWEEPS
from chassis.process.component import LoopComponent, pause
from chassis.process.health import Check
from reconciler.adapters.stripe_client import StripeLists
from reconciler.adapters.sweep_queries import covered_until
from reconciler.adapters.sweeps import SweepCounts
from reconciler.domain.stripe_pages import RepeatedPageError
from reconciler.domain.sweeps import ActiveSweep, Cursor, SweepDelayedError, SweepRefusedError
from reconciler.handlers import sweep_execution
from reconciler.handlers.sweep_findings import resolve_delivered
from reconciler.handlers.sweep_requests import request_due_sweep

_log = get_logger(__name__)

POLL_SECONDS = 1.0
# Longer than a request, the reads of a page and its transaction.
SILENT_SECONDS_MAX = 300
DELIVERY_SECONDS_MAX = 5.0
"""Longest wait for booking to apply published events, before payments are compared."""

_TRY_LOCK = "SELECT pg_try_advisory_lock($1)"


class SweepMeters:
    """Metrics of sweeps; each exists at 0."""

    def __init__(self, metrics: Metrics) -> None:
        self.completed = metrics.counter("sweeps_completed")
        self.failed = metrics.counter("sweeps_failed")
        self.mismatches = metrics.counter("sweep_mismatches")
        self.covered = metrics.gauge("sweep_covered_timestamp_seconds")
        self._events = metrics.counter("swept_events")
        for outcome in ("known", "pending", "missed"):
            self._events.labels(outcome)

    def count(self, page: SweepCounts) -> None:
        for outcome in ("known", "pending", "missed"):
            self._events.labels(outcome).inc(getattr(page, outcome))
        self.mismatches.inc(page.mismatches)


class Sweeper(LoopComponent):
    """Requests due sweeps, executes them, and closes exceptions of missed events that booking has by now.

    Args:
        database: the reconciler's own.
        bookings: booking's database as the SELECT-only role.
        stripe: Stripe's lists; None without a key: nothing is swept.
        cron: schedule in wall-clock time of `zone`.
        zone: of the business.
        grace: objects younger than this are not compared.
        metrics: `sweep_*`.
    """

    name = "stripe sweep"

    def __init__(
        self,
        database: Database,
        bookings: Database,
        stripe: StripeLists | None,
        cron: str,
        zone: ZoneInfo,
        grace: timedelta,
        metrics: Metrics,
    ) -> None:
        self._database = database
        self._bookings = bookings
        self._stripe = stripe
        self._cron = cron
        self._zone = zone
        self._grace = grace
        self._meters = SweepMeters(metrics)
        self._checked_until: datetime | None = None
        self._state = "off" if stripe is None else "standby"

    async def start(self) -> None:
        if self._stripe is not None:
            await self._loop.start()

    async def stop(self) -> None:
        """Finish the current page; the next process resumes the sweep."""
        await self._loop.stop()
        if self._stripe is not None:
            await self._stripe.close()

    async def check(self) -> Check:
        """Healthy while the loop works; the detail says `off`, or what the sweep waits for."""
        check = await self._loop.check()
        return check if not check.ok else Check(ok=True, detail=self._state)

    async def _run(self, stopping: asyncio.Event) -> None:
        assert self._stripe is not None, "the loop is not started without a key"
        session = await self._database.dedicated(idle_session_timeout=f"{SILENT_SECONDS_MAX}s")
        try:
            is_owner = False
            while not stopping.is_set():
                is_owner = is_owner or await session.fetchval(_TRY_LOCK, RECONCILER_SWEEPS)
                self._state = "owner" if is_owner else "standby"
                await self._note_coverage()
                if is_owner:
                    await self._request_due()
                    await self._execute(session, self._stripe, stopping)
                    await resolve_delivered(self._database, self._bookings, now=clock.now())
                self._loop.recovered()
                await pause(stopping, POLL_SECONDS)
        finally:
            self._state = "standby"
            session.terminate()

    async def _request_due(self) -> None:
        now = clock.now()
        sweep_id = await request_due_sweep(
            self._database, self._cron, self._zone, checked_until=self._checked_until, now=now
        )
        if sweep_id is not None:
            _log.info("sweep requested", sweep_id=sweep_id)
        self._checked_until = max(now, self._checked_until or now)

    async def _execute(self, session: Session, stripe: StripeLists, stopping: asyncio.Event) -> None:
        sweep = await sweep_execution.claim_sweep(session, grace=self._grace)
        while sweep is not None and not stopping.is_set():
            if sweep.cursor == Cursor("payment_intents") and not sweep.is_dry_run:
                await self._wait_for_deliveries(stopping)
            sweep = await self._execute_page(session, stripe, sweep)

    async def _execute_page(
        self, session: Session, stripe: StripeLists, sweep: ActiveSweep
    ) -> ActiveSweep | None:
        sent = stripe.requests
        try:
            page = await sweep_execution.process_page(session, self._bookings, stripe, sweep)
        except (SweepDelayedError, SweepRefusedError, RepeatedPageError) as error:
            has_failed = await sweep_execution.note_failure(
                session, sweep, error, requests=stripe.requests - sent
            )
            _log.warning("sweep failed" if has_failed else "sweep delayed", sweep_id=sweep.sweep_id)
            if has_failed:
                self._meters.failed.inc()
            return None
        if page is None:
            self._meters.completed.inc()
            _log.info("sweep completed", sweep_id=sweep.sweep_id)
            return None
        sweep, counts = page
        self._meters.count(counts)
        return sweep

    async def _wait_for_deliveries(self, stopping: asyncio.Event) -> None:
        """Give booking time to apply what was just published, so that its payments are not missing."""
        deadline = time.monotonic() + DELIVERY_SECONDS_MAX
        while (
            await resolve_delivered(self._database, self._bookings, now=clock.now())
            and time.monotonic() < deadline
            and not stopping.is_set()
        ):
            await pause(stopping, POLL_SECONDS)

    async def _note_coverage(self) -> None:
        async with self._database.connection() as connection:
            covered = await covered_until(connection, self._cron, self._zone.key)
        self._meters.covered.set(0 if covered is None else covered.timestamp())
