"""Messages: commands to run, and problems that the booking service reports."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from chassis import clock
from chassis.dead_letters.misplaced import MisplacedMessageError
from chassis.messaging import inbox
from chassis.messaging.failures import MalformedMessageError
from chassis.messaging.inbox import Conflict
from chassis.messaging.message import Message, waiting_for_locks
from chassis.postgres import Connection
from contracts.bookings import (
    BookingIdentityConflict,
    BookingOfferAccepted,
    BookingOfferAmbiguous,
    BookingPaymentAnomaly,
    BookingPaymentAnomalyResolved,
)
from contracts.catalogue import CARD_BY_MODEL
from contracts.ids import recorded_id
from contracts.reconciliation import RunRequested
from contracts.text import sanitize_for_postgres
from reconciler.adapters import runs
from reconciler.domain.findings import identity_conflict, payment_anomaly, payment_anomaly_fingerprint
from reconciler.domain.offer_findings import offer_ambiguous, offer_ambiguous_fingerprint
from reconciler.domain.runs import RequestedRun, request_problem
from reconciler.domain.scopes import Scope, ScopeError, parse_scope
from reconciler.handlers.commands import misplaced_commands
from reconciler.handlers.exception_queue import queue_reported, resolve_reported


async def apply(
    connection: Connection,
    messages: Sequence[Message],
    *,
    count_conflicts: Callable[[float], None] | None = None,
) -> int:
    """Apply a batch inside the caller's transaction, each event at most once. Return the number of new ones.

    Events of other types are ignored and not recorded in the inbox.

    Args:
        connection: in a transaction.
        messages: in order.
        count_conflicts: called with the number of known event ids that came with another body.

    Raises:
        MalformedMessageError: a message can never be decoded.
        KeysInUseError: another session has locked an exception or a run of a message.
    """
    known = [message for message in messages if message.metadata.type in _HANDLERS]
    admission = await inbox.admit(connection, known)
    for message in admission.fresh:
        with waiting_for_locks(message):
            await _HANDLERS[message.metadata.type](connection, message, clock.now())
    for conflict in admission.conflicts:
        with waiting_for_locks(conflict.message):
            await _queue_inbox_conflict(connection, conflict, clock.now())
    if count_conflicts:
        count_conflicts(len(admission.conflicts))
    return len(admission.fresh)


async def _queue_run(connection: Connection, message: Message, now: datetime) -> None:
    # Executing the run may take minutes and is done by `reconciler.jobs`.
    command = message.payload(RunRequested)
    scope = _check(command)
    if problem := (await misplaced_commands(connection, [message])).get(message):
        raise MisplacedMessageError(problem)
    request = RequestedRun(
        run_id=command.run_id,
        trigger=command.trigger,
        slot=command.slot,
        requested_by=sanitize_for_postgres(command.requested_by),
        requested_at=command.requested_at,
        scope=scope,
        is_dry_run=command.dry_run,
    )
    await runs.queue(connection, request, queued_at=now)


def _check(command: RunRequested) -> Scope:
    try:
        UUID(command.run_id)
        scope = parse_scope(command.scope)
    except ScopeError as error:
        raise MalformedMessageError(f"RunRequested: scope: {error}") from error
    except ValueError as error:
        raise MalformedMessageError("RunRequested: run_id: not a UUID") from error
    if problem := request_problem(command.trigger, command.slot, scope, is_dry_run=command.dry_run):
        raise MalformedMessageError(f"RunRequested: {problem}")
    return scope


async def _queue_payment_anomaly(connection: Connection, message: Message, now: datetime) -> None:
    event = message.payload(BookingPaymentAnomaly)
    finding = payment_anomaly(
        booking_id=None if event.booking_id is None else recorded_id(event.booking_id),
        kind=event.kind,
        provider=event.provider,
        payment_id=event.provider_payment_id,
        subject=event.subject,
        captured=event.captured,
        explanation=event.explanation,
    )
    await queue_reported(connection, finding, cause=message.metadata, now=now)


async def _resolve_payment_anomaly(connection: Connection, message: Message, now: datetime) -> None:
    event = message.payload(BookingPaymentAnomalyResolved)
    fingerprint = payment_anomaly_fingerprint(
        event.kind, event.provider, event.provider_payment_id, event.subject
    )
    explanation = sanitize_for_postgres(event.explanation)
    await resolve_reported(connection, fingerprint, explanation, cause=message.metadata, now=now)


async def _queue_identity_conflict(connection: Connection, message: Message, now: datetime) -> None:
    event = message.payload(BookingIdentityConflict)
    finding = identity_conflict(
        source=event.source,
        event_id=event.event_id,
        first_sha256=event.first_body_sha256,
        second_sha256=event.second_body_sha256,
    )
    await queue_reported(connection, finding, cause=message.metadata, now=now)


async def _queue_inbox_conflict(connection: Connection, conflict: Conflict, now: datetime) -> None:
    source, event_id = inbox.event_identity(conflict.message)
    finding = identity_conflict(
        source=source,
        event_id=event_id,
        first_sha256=conflict.first_body_sha256.hex(),
        second_sha256=conflict.message.body_sha256.hex(),
    )
    await queue_reported(connection, finding, cause=conflict.message.metadata, now=now)


async def _queue_ambiguous_offer(connection: Connection, message: Message, now: datetime) -> None:
    event = message.payload(BookingOfferAmbiguous)
    finding = offer_ambiguous(
        booking_id=event.booking_id,
        person_id=event.person_id,
        offer_ids=[offer.offer_id for offer in event.offers],
        sms_event_id=event.sms_event_id,
        at=event.recorded_at,
    )
    await queue_reported(connection, finding, cause=message.metadata, now=now)


async def _resolve_ambiguous_offer(connection: Connection, message: Message, now: datetime) -> None:
    event = message.payload(BookingOfferAccepted)
    fingerprint = offer_ambiguous_fingerprint(event.person_id)
    explanation = "the person has accepted an offer"
    await resolve_reported(connection, fingerprint, explanation, cause=message.metadata, now=now)


_HANDLERS: Mapping[str, Callable[[Connection, Message, datetime], Awaitable[None]]] = {
    CARD_BY_MODEL[RunRequested].event_type: _queue_run,
    CARD_BY_MODEL[BookingPaymentAnomaly].event_type: _queue_payment_anomaly,
    CARD_BY_MODEL[BookingPaymentAnomalyResolved].event_type: _resolve_payment_anomaly,
    CARD_BY_MODEL[BookingIdentityConflict].event_type: _queue_identity_conflict,
    CARD_BY_MODEL[BookingOfferAmbiguous].event_type: _queue_ambiguous_offer,
    CARD_BY_MODEL[BookingOfferAccepted].event_type: _resolve_ambiguous_offer,
}
