"""Thin events about money: their objects are fetched and applied as those of snapshot events (BK-7b).

A thin event does not enter the inbox: the same event may arrive as a snapshot too, in another body. Its facts
are known by event and object, so both together count once.
"""

import dataclasses
from enum import StrEnum
from typing import Protocol

from booking.adapters.stripe_events import PREFIX, read_object, read_thin_event
from booking.adapters.thin_events import claim, postpone, remove
from booking.domain.payments import NotApplied
from booking.domain.thin_events import FetchError, FetchLaterError, FetchRefusedError, ThinEvent
from booking.handlers.money import IncomingFacts, apply_facts, money_constraints
from booking.handlers.unapplied_events import UnappliedEvent, report_unapplied
from chassis.messaging.failures import BusyError, MalformedMessageError, RefusedDataError
from chassis.messaging.inbox import event_identity
from chassis.messaging.message import Message
from chassis.postgres import Database
from contracts.metadata import MessageMetadata
from contracts.stripe_events import JsonObject, StripeEvent
from contracts.topics import WEBHOOKS_STRIPE

# Another process takes over after this time. It exceeds a request and the transactions of a batch.
CLAIM_SECONDS = 60.0
_BUSY_SECONDS = 1.0
_NO_KEY = "STRIPE_API_KEY is not set any more; set it"


class Outcome(StrEnum):
    """What became of a claimed event."""

    APPLIED = "applied"
    LATER = "later"
    REPORTED = "reported"


class Objects(Protocol):
    """Where objects are fetched."""

    async def fetch(self, object_type: str, object_id: str) -> JsonObject:
        """Return an object, or raise `FetchError`."""
        ...


def thin_event_of(event: UnappliedEvent) -> ThinEvent | None:
    """Return the thin event of a message if its object can be fetched; None for any other."""
    if event.reason is not NotApplied.THIN_EVENT:
        return None
    source, event_id = event_identity(event.message)
    thin = read_thin_event(event.event, source=source, event_id=event_id)
    metadata = event.message.metadata
    return thin and dataclasses.replace(
        thin, correlation_id=metadata.correlation_id, traceparent=metadata.traceparent
    )


async def claim_due(database: Database, *, events_max: int) -> list[ThinEvent]:
    """Claim events that are due."""
    async with database.transaction() as connection:
        return await claim(connection, rows_max=events_max, seconds=CLAIM_SECONDS)


async def fetch_object(objects: Objects | None, event: ThinEvent) -> JsonObject | FetchError:
    """Return the object of an event, or why it was not fetched. Runs outside of any transaction."""
    if objects is None:
        return FetchRefusedError(_NO_KEY)
    try:
        return await objects.fetch(event.object_type, event.object_id)
    except FetchError as error:
        return error


async def settle(database: Database, event: ThinEvent, fetched: JsonObject | FetchError) -> Outcome:
    """Apply the object of a claimed event, report the event, or leave it for later."""
    if isinstance(fetched, FetchLaterError) and not event.is_last_attempt:
        async with database.transaction() as connection:
            await postpone(
                connection,
                event,
                seconds=event.delay_seconds,
                attempts=event.attempts,
                failure=str(fetched),
            )
        return Outcome.LATER
    if isinstance(fetched, FetchError):
        return await _report(database, event, str(fetched))
    try:
        await _apply(database, event, fetched)
    except BusyError:
        async with database.transaction() as connection:
            # The object was fetched: the attempt does not count.
            await postpone(
                connection, event, seconds=_BUSY_SECONDS, attempts=event.attempts - 1, failure=None
            )
        return Outcome.LATER
    except (MalformedMessageError, RefusedDataError) as error:
        return await _report(database, event, f"the object cannot be read ({error})")
    return Outcome.APPLIED


async def _apply(database: Database, event: ThinEvent, fetched: JsonObject) -> None:
    facts = read_object(event, fetched)
    async with database.transaction() as connection:
        if await remove(connection, event):
            with money_constraints():
                await apply_facts(connection, [IncomingFacts(facts, _message(event))])


async def _report(database: Database, event: ThinEvent, failure: str) -> Outcome:
    """Publish the anomaly of an event that cannot be applied, and forget the event."""
    async with database.transaction() as connection:
        if await remove(connection, event):
            unapplied = UnappliedEvent(_message(event), _stripe_event(event), NotApplied.THIN_EVENT, failure)
            await report_unapplied(connection, [unapplied])
    return Outcome.REPORTED


def _message(event: ThinEvent) -> Message:
    """Return a message with the identity and trace of the event, as the cause of its effects."""
    metadata = MessageMetadata(
        id=event.event_id,
        source=event.source,
        type=event.event_type,
        correlation_id=event.correlation_id,
        traceparent=event.traceparent,
    )
    return Message(WEBHOOKS_STRIPE.name, 0, 0, b"", b"", metadata.to_headers())


def _stripe_event(event: ThinEvent) -> StripeEvent:
    related = {"type": event.object_type, "id": event.object_id}
    return StripeEvent({"type": event.event_type.removeprefix(PREFIX), "related_object": related})
