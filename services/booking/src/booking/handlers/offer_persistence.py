"""Save a decision about offers: offers, booking, history and events in the caller's transaction (BK-9)."""

from booking.adapters.offers import update_offers
from booking.domain.offers import (
    Decision,
    Offer,
    OfferAccepted,
    OfferAmbiguous,
    OfferClosed,
    OfferEvent,
    OfferMade,
    OfferTooLate,
)
from booking.handlers.persistence import CausedEvent, save
from booking.settings import SERVICE
from chassis import clock
from chassis.messaging.outbox import OutgoingEvent, append, caused_by
from chassis.postgres import Connection
from contracts import bookings as contract
from contracts.ids import id_or_digest
from contracts.metadata import MessageMetadata
from contracts.text import sanitize_for_postgres
from contracts.wire import WireModel


async def save_decision(
    connection: Connection, decision: Decision, cause: MessageMetadata | None = None
) -> None:
    """Write a decision. The caller has locked the booking.

    Args:
        connection: in a transaction.
        decision: the booking's transitions have lower versions than the events of its offers.
        cause: metadata of the SMS; None for what a person or a job did.
    """
    if not decision.events:
        return
    await update_offers(connection, decision.offers)
    caused = [CausedEvent(transition, cause) for transition in decision.transitions]
    await save(connection, [decision.booking], caused)
    await publish(connection, decision.events, cause)


async def publish(
    connection: Connection, events: tuple[OfferEvent, ...], cause: MessageMetadata | None
) -> None:
    """Write events of offers to the outbox. The caller has locked the bookings."""
    outgoing = [_outgoing(event, cause) for event in events]
    await append(connection, [event if cause is None else caused_by(event, cause) for event in outgoing])


def _outgoing(event: OfferEvent, cause: MessageMetadata | None) -> OutgoingEvent:
    # The SMS's event id, by which its text can be found. The text and the phone stay in the table.
    sms_event_id = None if cause is None else id_or_digest(sanitize_for_postgres(cause.id))
    payload = _payload(event, sms_event_id)
    offer, sequence = (
        (event.offers[0], None) if isinstance(event, OfferAmbiguous) else (event.offer, event.sequence)
    )
    return OutgoingEvent(
        payload=payload, key=offer.booking_id, source=SERVICE, subject=offer.booking_id, sequence=sequence
    )


def _payload(event: OfferEvent, sms_event_id: str | None) -> WireModel:
    recorded_at = clock.now()
    match event:
        case OfferMade(offer=offer):
            return contract.BookingOfferMade(
                **_names(offer), made_by=event.made_by, expires_at=offer.expires_at, recorded_at=recorded_at
            )
        case OfferAccepted(offer=offer):
            return contract.BookingOfferAccepted(
                **_names(offer), sms_event_id=sms_event_id, recorded_at=recorded_at
            )
        case OfferClosed(offer=offer):
            return contract.BookingOfferClosed(
                **_names(offer),
                closed_reason=offer.closed_reason or "",
                closed_by=event.closed_by,
                recorded_at=recorded_at,
            )
        case OfferTooLate(offer=offer):
            return contract.BookingOfferTooLate(
                **_names(offer),
                closed_reason=offer.closed_reason or "",
                sms_event_id=sms_event_id,
                recorded_at=recorded_at,
            )
        case OfferAmbiguous(offers=offers):
            references = [contract.OfferReference(**_names(offer)) for offer in offers]
            return contract.BookingOfferAmbiguous(
                booking_id=offers[0].booking_id,
                person_id=offers[0].person_id,
                offers=references,
                sms_event_id=sms_event_id,
                recorded_at=recorded_at,
            )


def _names(offer: Offer) -> dict[str, str]:
    return {"offer_id": offer.id, "booking_id": offer.booking_id, "person_id": offer.person_id}
