"""Fetches the objects of thin events from Stripe and applies them (BK-7b)."""

import asyncio
from collections.abc import Callable

from booking.adapters.stripe_client import StripeObjects
from booking.adapters.thin_events import count_waiting
from booking.domain.payments import NotApplied
from booking.handlers.thin_events import Outcome, claim_due, fetch_object, settle
from chassis.observability.logs import get_logger
from chassis.postgres import Database
from chassis.process.component import LoopComponent, pause
from chassis.process.health import Check
from contracts.metadata import format_time

_log = get_logger(__name__)

POLL_SECONDS = 1.0
# Well under Stripe's limit of requests per second, and done within a claim.
BATCH_EVENTS_MAX = 8


class ThinEvents(LoopComponent):
    """Polls for thin events. Every replica does; a claimed event is left to its claimant.

    Args:
        database: with the events.
        objects: Stripe's API; None without a key. Events that still wait are reported then.
        count_unapplied: called for each event that is reported instead of applied.
    """

    name = "thin-events"

    def __init__(
        self,
        database: Database,
        objects: StripeObjects | None,
        count_unapplied: Callable[[NotApplied], None],
        *,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._database = database
        self._objects = objects
        self._count_unapplied = count_unapplied
        self._poll_seconds = poll_seconds

    async def stop(self) -> None:
        """Finish the current batch."""
        await self._loop.stop()
        if self._objects is not None:
            await self._objects.close()

    async def check(self) -> Check:
        """Tell how many events wait and why. The service works meanwhile, so it stays ready."""
        state = await self._loop.check()
        if not state.ok:
            return state
        async with self._database.connection() as connection:
            waiting = await count_waiting(connection)
        if waiting.since is None:
            return state
        reason = f": {waiting.failure}" if waiting.failure else ""
        since = format_time(waiting.since)
        return Check(ok=True, detail=f"{waiting.events} thin events wait since {since}{reason}")

    async def _run(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            events = await claim_due(self._database, events_max=BATCH_EVENTS_MAX)
            fetched = await asyncio.gather(*(fetch_object(self._objects, event) for event in events))
            for event, result in zip(events, fetched, strict=True):
                outcome = await settle(self._database, event, result)
                _log.info("thin event fetched", event_id=event.event_id, outcome=outcome.value)
                if outcome is Outcome.REPORTED:
                    self._count_unapplied(NotApplied.THIN_EVENT)
            self._loop.recovered()
            if not events:
                await pause(stopping, self._poll_seconds)
