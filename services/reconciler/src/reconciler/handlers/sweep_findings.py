"""What a sweep does with its findings: exceptions, events of missed deliveries, and the events themselves.

A finding, its exception and its messages are written in the transaction of the page that found it.
"""

from collections.abc import Sequence
from datetime import datetime

from chassis.kafka.outgoing_record import OutgoingRecord
from chassis.messaging import outbox
from chassis.messaging.outbox import OutgoingEvent
from chassis.observability import trace_context
from chassis.postgres import Connection, Database
from contracts.ids import booking_id_of
from contracts.reconciliation import WebhookMissed
from contracts.topics import WEBHOOKS_STRIPE
from reconciler.adapters import sweep_findings
from reconciler.adapters.booking_stripe_view import known_events
from reconciler.adapters.exceptions import next_evidence
from reconciler.adapters.sweep_findings import OpenFinding
from reconciler.domain.stripe_comparison import Mismatch
from reconciler.domain.sweep_findings import (
    PROVIDER,
    delivery_missed,
    delivery_missed_fingerprint,
    mismatch,
    mismatch_fingerprint,
)
from reconciler.domain.swept_events import SweptEvent, headers_of
from reconciler.handlers.exception_queue import Passing, queue_observed, resolve_observed
from reconciler.settings import SERVICE

SETTLED_ROWS_MAX = 500

FOUND_BY_SWEEP = "found by a Stripe sweep"
DELIVERED = Passing("fixed", "booking has received the event")
AGREED = Passing("fixed", "Stripe and booking agree now")


async def publish_missed(
    connection: Connection, sweep_id: str, events: Sequence[SweptEvent], *, evidence: int, now: datetime
) -> None:
    """Publish missed events in the place of their deliveries, and open an exception for each.

    An event that an earlier sweep published and that booking does not have yet is published again, and
    counted in its exception.

    Args:
        connection: in the page's transaction.
        sweep_id: the sweep.
        events: missed ones of the page.
        evidence: number taken before the page was read.
        now: time of the findings.
    """
    by_fingerprint = {delivery_missed_fingerprint(event.id): event for event in events}
    entered = await sweep_findings.enter(
        connection,
        "delivery_missed",
        [OpenFinding(fingerprint, "event", event.id) for fingerprint, event in by_fingerprint.items()],
        sweep_id,
    )
    published = [event for fingerprint, event in by_fingerprint.items() if fingerprint in entered]
    await outbox.append_records(connection, [_record(event) for event in published])
    missed = [by_fingerprint[fingerprint] for fingerprint, is_new in entered.items() if is_new]
    await outbox.append(connection, [_missed(event, sweep_id, now) for event in missed])
    findings = [delivery_missed(event) for event in published]
    await queue_observed(connection, findings, reason=FOUND_BY_SWEEP, evidence=evidence, now=now)


async def queue_mismatches(
    connection: Connection, sweep_id: str, mismatches: Sequence[Mismatch], *, evidence: int, now: datetime
) -> None:
    """Open or count the exception of each mismatch; arguments as of `publish_missed`."""
    by_fingerprint = {
        mismatch_fingerprint(each.kind, each.payment_id, each.object_id): each for each in mismatches
    }
    entered = await sweep_findings.enter(
        connection,
        "payment_anomaly",
        [
            OpenFinding(fingerprint, each.object_type, each.object_id)
            for fingerprint, each in by_fingerprint.items()
        ],
        sweep_id,
    )
    findings = [mismatch(each) for fingerprint, each in by_fingerprint.items() if fingerprint in entered]
    await queue_observed(connection, findings, reason=FOUND_BY_SWEEP, evidence=evidence, now=now)


async def resolve_mismatches(
    connection: Connection, fingerprints: Sequence[str], *, evidence: int, now: datetime
) -> None:
    """Resolve the exceptions of mismatches that are gone."""
    gone = sorted(await sweep_findings.settle(connection, fingerprints, now=now))
    await resolve_observed(connection, gone, AGREED, evidence=evidence, now=now)


async def resolve_delivered(database: Database, bookings: Database, *, now: datetime) -> int:
    """Resolve the exceptions of missed events that booking knows by now. Return how many still wait.

    Args:
        database: of the reconciler.
        bookings: booking's database as the SELECT-only role.
        now: time of the resolutions.
    """
    waiting, after = 0, ""
    while True:
        async with database.connection() as connection:
            page = await sweep_findings.open_findings(
                connection, "delivery_missed", after=after, rows_max=SETTLED_ROWS_MAX
            )
            evidence = await next_evidence(connection) if page else 0
        if not page:
            return waiting
        after = page[-1].fingerprint
        known = await known_events(bookings, [finding.object_id for finding in page])
        delivered = [finding.fingerprint for finding in page if finding.object_id in known]
        waiting += len(page) - len(delivered)
        if not delivered:
            continue
        async with database.transaction() as connection:
            settled = sorted(await sweep_findings.settle(connection, delivered, now=now))
            await resolve_observed(connection, settled, DELIVERED, evidence=evidence, now=now)


def _record(event: SweptEvent) -> OutgoingRecord:
    headers = headers_of(event, traceparent=trace_context.current() or trace_context.new())
    return OutgoingRecord(WEBHOOKS_STRIPE.name, event.key.encode(), event.body, headers)


def _missed(event: SweptEvent, sweep_id: str, now: datetime) -> OutgoingEvent:
    payload = WebhookMissed(
        provider=PROVIDER,
        event_id=event.id,
        event_type=event.type,
        booking_id=booking_id_of(event.booking) if event.booking else None,
        occurred_at=event.created_at,
        sweep_id=sweep_id,
        found_at=now,
    )
    return OutgoingEvent(
        payload=payload,
        key=event.key,
        source=SERVICE,
        subject=payload.booking_id or event.object_id,
        correlation_id=event.id,
        causation_id=sweep_id,
    )
