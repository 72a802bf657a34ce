"""Execute a sweep, one page per transaction: a crash repeats one page (REC-13)."""

from dataclasses import replace
from datetime import timedelta

from chassis import clock
from chassis.messaging import outbox
from chassis.postgres import Connection, Database
from contracts.text import sanitize_for_postgres
from reconciler.adapters import sweeps
from reconciler.adapters.exceptions import next_evidence
from reconciler.adapters.stripe_client import StripeLists
from reconciler.adapters.sweeps import SweepCounts
from reconciler.domain.stripe_pages import RepeatedPageError
from reconciler.domain.sweep_windows import window
from reconciler.domain.sweeps import (
    ATTEMPTS_MAX,
    ActiveSweep,
    SweepDelayedError,
    SweepRefusedError,
    delay_seconds,
)
from reconciler.handlers.outgoing_events import sweep_ended
from reconciler.handlers.sweep_pages import PAGES, Reading

ERROR_CHARACTERS_MAX = 500


async def claim_sweep(connection: Connection, *, grace: timedelta) -> ActiveSweep | None:
    """Claim the next sweep, new or resumed; None without one that is due."""
    now = clock.now()
    async with connection.transaction():
        due = await sweeps.next_due(connection, now=now)
        if due is None or due.active is not None:
            return due and due.active
        last = await sweeps.coverage(connection)
        full = window(last, since=None, grace=grace, now=now)
        asked = window(last, since=due.since, grace=grace, now=now)
        is_gapless = (
            not due.is_dry_run
            and asked.events_since <= full.events_since
            and asked.objects_since <= full.objects_since
        )
        return await sweeps.begin(connection, due, asked, is_gapless=is_gapless, now=now)


async def process_page(
    connection: Connection, bookings: Database, stripe: StripeLists, sweep: ActiveSweep
) -> tuple[ActiveSweep, SweepCounts] | None:
    """Read and commit the next page of a sweep. Return the sweep after it, and its counts.

    Return None if nothing was left: the sweep is completed.

    Raises:
        SweepDelayedError: a request that may succeed later.
        SweepRefusedError: a request that Stripe refuses.
        RepeatedPageError: Stripe's list does not go on.
    """
    if sweep.cursor.step not in PAGES:
        await _finish(connection, sweep.sweep_id, error=None)
        return None
    sent = stripe.requests
    read = Reading(connection, bookings, stripe, sweep, await next_evidence(connection))
    reached, write = await PAGES[sweep.cursor.step](read)
    async with connection.transaction():
        counts = replace(await write(), requests=stripe.requests - sent)
        await sweeps.advance(connection, sweep, reached, counts)
    return replace(sweep, cursor=reached, attempts=0), counts


async def note_failure(
    connection: Connection, sweep: ActiveSweep, error: Exception, *, requests: int
) -> bool:
    """Store why a page failed. Return True if the sweep has failed with it, False if it goes on later."""
    reason = sanitize_for_postgres(" ".join(str(error).split())[:ERROR_CHARACTERS_MAX])
    is_final = isinstance(error, SweepRefusedError | RepeatedPageError)
    if is_final or sweep.attempts + 1 >= ATTEMPTS_MAX:
        given_up = reason if is_final else f"given up after {ATTEMPTS_MAX} attempts: {reason}"
        await _finish(connection, sweep.sweep_id, error=given_up)
        return True
    retry_after = error.retry_after_seconds if isinstance(error, SweepDelayedError) else 0
    due_at = clock.now() + timedelta(seconds=delay_seconds(sweep.attempts + 1, retry_after))
    await sweeps.note_failure(connection, sweep.sweep_id, reason, due_at=due_at, requests=requests)
    return False


async def _finish(connection: Connection, sweep_id: str, *, error: str | None) -> None:
    now = clock.now()
    async with connection.transaction():
        status = "completed" if error is None else "failed"
        end = await sweeps.finish(connection, sweep_id, status=status, error=error, now=now)
        await outbox.append(connection, [sweep_ended(sweep_id, end, error=error, at=now)])
