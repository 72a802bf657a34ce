"""Pages of a sweep, by step: what is read, and what is written in the page's transaction (REC-13).

Requests to Stripe and to booking's views run outside of the transaction. All writes use the executor's own
connection, which holds its lock.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from chassis import clock
from chassis.postgres import Connection, Database
from contracts.stripe_events import APPLIED_TYPES, JsonObject
from reconciler.adapters import sweep_findings, sweeps
from reconciler.adapters.booking_stripe_view import known_events, read_own, recorded_payments
from reconciler.adapters.stripe_client import TYPES_MAX, StripeLists, StripePage
from reconciler.adapters.sweeps import SweepCounts
from reconciler.domain.stripe_comparison import (
    Mismatch,
    Own,
    compare_charge,
    compare_intent,
    compare_refund,
    missing_at_stripe,
    payment_ids_of,
)
from reconciler.domain.stripe_pages import Position, next_position
from reconciler.domain.sweep_findings import delivery_missed, mismatch
from reconciler.domain.sweeps import STEPS, ActiveSweep, Cursor, ObjectType, Step, SweepRefusedError
from reconciler.domain.swept_events import SweptEvent, read_event, sort_events
from reconciler.handlers.sweep_findings import publish_missed, queue_mismatches, resolve_mismatches

PAYMENTS_PER_PAGE = 100
OPEN_PER_PAGE = 50
UNKNOWN_PER_PAGE_MAX = 50
"""More of our payments in one page that Stripe does not have mean a key of another account."""

GROUPS = [APPLIED_TYPES[at : at + TYPES_MAX] for at in range(0, len(APPLIED_TYPES), TYPES_MAX)]

Compare = Callable[[JsonObject, Own], Mismatch | None]
_COMPARISONS: Mapping[ObjectType, Compare] = {
    "payment_intent": compare_intent,
    "charge": compare_charge,
    "refund": compare_refund,
}


@dataclass(frozen=True, slots=True)
class Reading:
    """A sweep in progress, and where it reads.

    Attributes:
        connection: of the reconciler; not in a transaction.
        bookings: booking's database as the SELECT-only role.
        stripe: lists of Stripe.
        evidence: number taken before the page is read.
    """

    connection: Connection
    bookings: Database
    stripe: StripeLists
    sweep: ActiveSweep
    evidence: int


# What is written in the transaction of a page.
Write = Callable[[], Awaitable[SweepCounts]]


async def _events(read: Reading) -> tuple[Cursor, Write]:
    sweep, cursor = read.sweep, read.sweep.cursor
    types = GROUPS[cursor.part]
    page, following = await _page(read, "event", sweep.window.events_since, sweep.window.until, types)
    events = [event for item in page.objects if (event := read_event(item)) is not None]
    known = await known_events(read.bookings, [event.id for event in events])
    reached = Cursor("events", cursor.part, following)
    if following is None:
        is_last = cursor.part + 1 == len(GROUPS)
        reached = _after("events") if is_last else Cursor("events", cursor.part + 1)
    return reached, partial(_write_events, read, events, known)


async def _write_events(read: Reading, events: Sequence[SweptEvent], known: set[str]) -> SweepCounts:
    connection, sweep, now = read.connection, read.sweep, clock.now()
    fresh = await sweeps.see(connection, sweep.sweep_id, [event.id for event in events])
    first = {event.id: event for event in events if event.id in fresh}
    result = sort_events(list(first.values()), known, now=sweep.window.until)
    await sweeps.add_found(
        connection, sweep.sweep_id, [(event.id, delivery_missed(event)) for event in result.missed]
    )
    if not sweep.is_dry_run:
        await publish_missed(connection, sweep.sweep_id, result.missed, evidence=read.evidence, now=now)
    return SweepCounts(
        seen=len(first),
        known=result.known,
        pending=len(result.pending),
        missed=len(result.missed),
        pending_since=min((event.created_at for event in result.pending), default=None),
    )


async def _objects(object_type: ObjectType, step: Step, read: Reading) -> tuple[Cursor, Write]:
    times = read.sweep.window
    page, following = await _page(read, object_type, times.objects_since, times.objects_until)
    ids = {identifier for item in page.objects for identifier in payment_ids_of(item)}
    own = await read_own(read.bookings, sorted(ids))
    compare = _COMPARISONS[object_type]
    by_id = {item["id"]: compare(item, own) for item in page.objects}
    reached = _after(step) if following is None else Cursor(step, position=following)
    return reached, partial(_write_objects, read, by_id)


async def _write_objects(read: Reading, by_id: Mapping[str, Mismatch | None]) -> SweepCounts:
    fresh = await sweeps.see(read.connection, read.sweep.sweep_id, list(by_id))
    mismatches = [
        difference for object_id, difference in by_id.items() if difference is not None and object_id in fresh
    ]
    return await _write_mismatches(read, mismatches, compared=len(fresh))


async def _payments(read: Reading) -> tuple[Cursor, Write]:
    """Look for our payments of the window that Stripe's lists did not have."""
    times = read.sweep.window
    payments, last = await recorded_payments(
        read.bookings,
        since=times.objects_since,
        until=times.objects_until,
        after=read.sweep.cursor.after,
        rows_max=PAYMENTS_PER_PAGE,
    )
    ids = [payment.payment_id for payment in payments]
    seen = await sweeps.seen(read.connection, read.sweep.sweep_id, ids)
    mismatches: list[Mismatch] = []
    for payment in payments:
        difference = missing_at_stripe(payment)
        # Others, such as an invoice that was paid elsewhere, are not in these lists.
        if payment.payment_id in seen or not payment.payment_id.startswith(("pi_", "ch_", "py_")):
            continue
        if await read.stripe.fetch(difference.object_type, payment.payment_id) is None:
            mismatches.append(difference)
    if len(mismatches) > UNKNOWN_PER_PAGE_MAX:
        raise SweepRefusedError(
            f"Stripe does not have {len(mismatches)} of {len(payments)} payments;"
            " is STRIPE_API_KEY a key of the account that was paid?"
        )
    reached = _after("payments") if last is None else Cursor("payments", after=last)
    return reached, partial(_write_mismatches, read, mismatches, compared=0)


async def _open(read: Reading) -> tuple[Cursor, Write]:
    """Compare again what earlier sweeps have found."""
    page = await sweep_findings.open_findings(
        read.connection,
        "payment_anomaly",
        after=read.sweep.cursor.after or "",
        rows_max=OPEN_PER_PAGE,
        not_of_sweep=read.sweep.sweep_id,
    )
    mismatches: list[Mismatch] = []
    for finding in page:
        item = await read.stripe.fetch(finding.object_type, finding.object_id)
        ids = [finding.object_id] if item is None else payment_ids_of(item)
        own = await read_own(read.bookings, ids)
        payment = own.payments.get(finding.object_id)
        if item is not None:
            difference = _COMPARISONS[finding.object_type](item, own)
        else:
            is_money = payment is not None and payment.state == "succeeded" and not payment.is_void
            difference = missing_at_stripe(payment) if payment is not None and is_money else None
        if difference is not None:
            mismatches.append(difference)
    fingerprints = [finding.fingerprint for finding in page]
    reached = Cursor("open", after=fingerprints[-1]) if len(page) == OPEN_PER_PAGE else _after("open")
    return reached, partial(_write_open, read, fingerprints, mismatches)


async def _write_open(
    read: Reading, fingerprints: Sequence[str], mismatches: Sequence[Mismatch]
) -> SweepCounts:
    counts = await _write_mismatches(read, mismatches, compared=len(fingerprints))
    if not read.sweep.is_dry_run:
        still = {mismatch(difference).fingerprint for difference in mismatches}
        gone = [fingerprint for fingerprint in fingerprints if fingerprint not in still]
        await resolve_mismatches(read.connection, gone, evidence=read.evidence, now=clock.now())
    return counts


async def _write_mismatches(read: Reading, mismatches: Sequence[Mismatch], *, compared: int) -> SweepCounts:
    findings = {
        finding.fingerprint: (each.object_id, finding) for each in mismatches if (finding := mismatch(each))
    }
    new = await sweeps.add_found(read.connection, read.sweep.sweep_id, list(findings.values()))
    if not read.sweep.is_dry_run:
        await queue_mismatches(
            read.connection, read.sweep.sweep_id, mismatches, evidence=read.evidence, now=clock.now()
        )
    return SweepCounts(compared=compared, mismatches=len(new))


async def _page(
    read: Reading, object_type: ObjectType, since: datetime, until: datetime, types: Sequence[str] = ()
) -> tuple[StripePage, Position | None]:
    """Return the page at the cursor, and the position after it; None after the last page."""
    position = read.sweep.cursor.position or Position(int(until.timestamp()))
    page = await read.stripe.page(object_type, position, since=int(since.timestamp()), types=types)
    return page, next_position(position, page.listed, has_more=page.has_more)


def _after(step: Step) -> Cursor:
    following = STEPS.index(step) + 1
    return Cursor(STEPS[following] if following < len(STEPS) else "end")


PAGES: Mapping[Step, Callable[[Reading], Awaitable[tuple[Cursor, Write]]]] = {
    "events": _events,
    "payment_intents": partial(_objects, "payment_intent", "payment_intents"),
    "charges": partial(_objects, "charge", "charges"),
    "refunds": partial(_objects, "refund", "refunds"),
    "payments": _payments,
    "open": _open,
}
