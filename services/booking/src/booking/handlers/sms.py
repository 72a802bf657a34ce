"""Inbound SMS of a batch: each recorded once, a yes applied to the sender's open offer (BK-9)."""

from collections.abc import Sequence
from dataclasses import dataclass

from booking.adapters.bookings import try_lock_bookings
from booking.adapters.offers import read_offers, read_offers_to
from booking.adapters.phone_numbers import to_e164
from booking.adapters.sms_messages import RecordedSms, insert_sms, read_sms
from booking.domain.booking import Booking
from booking.domain.offers import (
    Offer,
    OfferAmbiguous,
    SmsOutcome,
    accept_offer,
    choose_offer,
    refuse_late_yes,
)
from booking.domain.replies import is_yes
from booking.domain.sms import InboundSms
from booking.handlers.offer_persistence import publish, save_decision
from chassis.messaging.inbox import event_identity
from chassis.messaging.message import KeysInUseError, Message
from chassis.postgres import Connection
from contracts.ids import BookingId


@dataclass(frozen=True, slots=True)
class _Reply:
    """An SMS, its message, and the sender's phone in E.164; None for a sender without a usable number."""

    sms: InboundSms
    message: Message
    phone: str | None

    @property
    def is_yes(self) -> bool:
        return is_yes(self.sms.text)


async def apply_sms(connection: Connection, messages: Sequence[Message]) -> int:
    """Apply the SMS of a batch in order, inside the caller's transaction. Return the number of SMS.

    Raises:
        KeysInUseError: another session has locked a booking that some senders have offers of.
        MalformedMessageError: a message is no JSON object.
    """
    replies = [reply for message in messages if (reply := _read(message))]
    bookings = await _lock_bookings(connection, replies)
    recorded: list[RecordedSms] = []
    for reply in replies:
        outcome, offer = await _apply(connection, reply, bookings)
        recorded.append(RecordedSms(event_identity(reply.message), reply.sms, outcome, offer and offer.id))
    await insert_sms(connection, recorded)
    return len(recorded)


def _read(message: Message) -> _Reply | None:
    sms = read_sms(message.metadata.type, message.value)
    # Providers send E.164. No country is guessed for another sender, such as a short code.
    return None if sms is None else _Reply(sms, message, to_e164(sms.sender, None))


async def _lock_bookings(connection: Connection, replies: Sequence[_Reply]) -> dict[BookingId, Booking]:
    """Lock the bookings whose offers a yes of the batch may be about."""
    phones = {reply.phone for reply in replies if reply.is_yes and reply.phone}
    offers = await read_offers_to(connection, phones)
    bookings, locked = await try_lock_bookings(connection, {offer.booking_id for offer in offers})
    if locked:
        busy = {offer.phone for offer in offers if offer.booking_id in locked}
        waiting = [reply.message for reply in replies if reply.is_yes and reply.phone in busy]
        raise KeysInUseError(waiting, "row of booking locked by another session")
    return bookings


async def _apply(
    connection: Connection, reply: _Reply, bookings: dict[BookingId, Booking]
) -> tuple[SmsOutcome, Offer | None]:
    """Apply one SMS. Return what it did, and the offer that it is about."""
    if not reply.is_yes:
        return SmsOutcome.NO_YES, None
    if reply.phone is None:
        return SmsOutcome.UNKNOWN_SENDER, None
    cause = reply.message.metadata
    # Read after the lock: the previous holder of the lock may have decided an offer. An offer that was made
    # meanwhile is later than this yes.
    offers = [o for o in await read_offers_to(connection, [reply.phone]) if o.booking_id in bookings]
    outcome, chosen = choose_offer(offers, bookings)
    if outcome is SmsOutcome.AMBIGUOUS:
        await publish(connection, (OfferAmbiguous(offers=chosen),), cause)
        return outcome, None
    if not chosen:
        return outcome, None
    offer = chosen[0]
    booking = bookings[offer.booking_id]
    if outcome is SmsOutcome.ACCEPTED:
        existing = await read_offers(connection, [booking.id])
        decision = accept_offer(booking, offer, existing, event_id=event_identity(reply.message)[1])
    elif outcome is SmsOutcome.TOO_LATE:
        decision = refuse_late_yes(booking, offer)
    else:
        return outcome, offer
    await save_decision(connection, decision, cause)
    bookings[booking.id] = decision.booking
    return outcome, offer
