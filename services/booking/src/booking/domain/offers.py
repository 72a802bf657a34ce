"""Decisions about offers of a booking to people who could take it (BK-9). No decision touches money."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from booking.domain.booking import Booking, Transition, change_status
from booking.domain.statuses import Actor, Status
from contracts.ids import BookingId

ACCEPTED_BY_SMS = "offer accepted by SMS"
SYSTEM = Actor("system", is_operator=False)

_FINAL = (Status.COMPLETED, Status.CANCELLED)


class OfferStatus(StrEnum):
    """Status of an offer; `closed` is final."""

    OPEN = "open"
    ACCEPTED = "accepted"
    CLOSED = "closed"


class ClosedReason(StrEnum):
    """Reason why an offer is closed.

    `BOOKING_CLOSED`: the booking is completed, cancelled or past. `TAKEN`: another person accepted first.
    """

    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    TAKEN = "taken"
    BOOKING_CLOSED = "booking_closed"


class SmsOutcome(StrEnum):
    """What an inbound SMS did."""

    ACCEPTED = "accepted"
    ALREADY_ACCEPTED = "already_accepted"
    TOO_LATE = "too_late"
    AMBIGUOUS = "ambiguous"
    NO_OFFER = "no_offer"
    NO_YES = "no_yes"
    UNKNOWN_SENDER = "unknown_sender"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One offer as decisions need it.

    Attributes:
        phone: of the person, in E.164.
        has_expired: True if `expires_at` has passed, by the database's clock.
        is_past: True if the booking has ended, by the database's clock.
    """

    id: str
    booking_id: BookingId
    person_id: str
    phone: str
    expires_at: datetime
    status: OfferStatus = OfferStatus.OPEN
    closed_reason: ClosedReason | None = None
    has_expired: bool = False
    is_past: bool = False

    @property
    def is_open(self) -> bool:
        return self.status is OfferStatus.OPEN


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferMade:
    """An offer was made. `sequence` is the booking's version after the event, as for all events here."""

    offer: Offer
    sequence: int
    made_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferAccepted:
    """A person has accepted an offer by SMS."""

    offer: Offer
    sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferClosed:
    """An offer was closed. `closed_by` names the actor."""

    offer: Offer
    sequence: int
    closed_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferTooLate:
    """A person has accepted an offer that is closed. The person must be told."""

    offer: Offer
    sequence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferAmbiguous:
    """A person with several open offers has said yes. Somebody must ask which one is meant."""

    offers: tuple[Offer, ...]


OfferEvent = OfferMade | OfferAccepted | OfferClosed | OfferTooLate | OfferAmbiguous


class OfferRefusedError(Exception):
    """Base of the reasons not to make or withdraw an offer. The message says what to do."""


class BookingClosedError(OfferRefusedError):
    """Nobody can take a booking that is completed, cancelled or past."""

    def __init__(self, status: Status) -> None:
        state = status.value if status in _FINAL else "past"
        super().__init__(f"the booking is {state}: make offers for a booking that is still to come")


class OfferExistsError(OfferRefusedError):
    """The booking has an accepted offer, or this person has an open one."""

    def __init__(self, offer: Offer) -> None:
        state = "accepted" if offer.status is OfferStatus.ACCEPTED else "open for this phone"
        super().__init__(f"offer {offer.id} is {state}: withdraw it first")
        self.offer = offer


class OfferClosedError(OfferRefusedError):
    """The offer is closed and cannot be withdrawn."""

    def __init__(self, offer: Offer) -> None:
        super().__init__(f"the offer is closed already ({offer.closed_reason}): there is nothing to withdraw")
        self.offer = offer


@dataclass(frozen=True, slots=True)
class Decision:
    """A booking after a decision, the offers that changed, and what happened, in order."""

    booking: Booking
    offers: tuple[Offer, ...] = ()
    events: tuple[OfferEvent, ...] = ()
    transitions: tuple[Transition, ...] = ()

    def then_close(self, offers: Sequence[Offer], reason: ClosedReason, *, by: Actor) -> "Decision":
        """Return the decision with these offers closed too."""
        booking, closed, events = self.booking, list(self.offers), list(self.events)
        for offer in offers:
            booking = replace(booking, version=booking.version + 1)
            closed.append(replace(offer, status=OfferStatus.CLOSED, closed_reason=reason))
            events.append(OfferClosed(offer=closed[-1], sequence=booking.version, closed_by=by.name))
        return replace(self, booking=booking, offers=tuple(closed), events=tuple(events))


def _is_closed(booking: Booking, *, is_past: bool) -> bool:
    # Nobody can take such a booking any more.
    return is_past or booking.status in _FINAL


def make_offer(
    booking: Booking, offer: Offer, existing: Collection[Offer], *, is_past: bool, by: Actor
) -> Decision:
    """Return the decision to make an offer; expired offers of the booking are closed.

    Raises:
        BookingClosedError: the booking is completed, cancelled or past.
        OfferExistsError: an offer of the booking is accepted, or one is open for this phone.
    """
    if _is_closed(booking, is_past=is_past):
        raise BookingClosedError(booking.status)
    expired = [each for each in existing if each.is_open and each.has_expired]
    for each in existing:
        is_same = each.is_open and not each.has_expired and each.phone == offer.phone
        if is_same or each.status is OfferStatus.ACCEPTED:
            raise OfferExistsError(each)
    closed = Decision(booking).then_close(expired, ClosedReason.EXPIRED, by=SYSTEM)
    made = replace(closed.booking, version=closed.booking.version + 1)
    event = OfferMade(offer=offer, sequence=made.version, made_by=by.name)
    return replace(closed, booking=made, events=(*closed.events, event))


def withdraw_offer(booking: Booking, offer: Offer, *, by: Actor) -> Decision:
    """Return the decision to withdraw an open or accepted offer; a withdrawn one stays as it is.

    The booking's status does not change: a person decides whether it is pending again.

    Raises:
        OfferClosedError: the offer was closed for another reason.
    """
    if offer.closed_reason is ClosedReason.WITHDRAWN:
        return Decision(booking)
    if offer.status is OfferStatus.CLOSED:
        raise OfferClosedError(offer)
    return Decision(booking).then_close([offer], ClosedReason.WITHDRAWN, by=by)


def close_due_offers(booking: Booking, offers: Collection[Offer]) -> Decision:
    """Return the decision to close the open offers that have expired or whose booking is closed."""
    still_open = [offer for offer in offers if offer.is_open]
    useless = [offer for offer in still_open if _is_closed(booking, is_past=offer.is_past)]
    expired = [offer for offer in still_open if offer.has_expired and offer not in useless]
    decision = Decision(booking).then_close(useless, ClosedReason.BOOKING_CLOSED, by=SYSTEM)
    return decision.then_close(expired, ClosedReason.EXPIRED, by=SYSTEM)


def choose_offer(
    offers: Sequence[Offer], bookings: Mapping[BookingId, Booking]
) -> tuple[SmsOutcome, tuple[Offer, ...]]:
    """Return the outcome of a yes and the offers it is about.

    Args:
        offers: of the sender's phone, newest first: the open ones and those decided lately.
        bookings: of these offers.
    """
    open_offers = tuple(
        offer
        for offer in offers
        if offer.is_open and not close_due_offers(bookings[offer.booking_id], [offer]).offers
    )
    if open_offers:
        outcome = SmsOutcome.ACCEPTED if len(open_offers) == 1 else SmsOutcome.AMBIGUOUS
        return outcome, open_offers
    if not offers:
        return SmsOutcome.NO_OFFER, ()
    last = offers[0]
    is_accepted = last.status is OfferStatus.ACCEPTED
    return (SmsOutcome.ALREADY_ACCEPTED if is_accepted else SmsOutcome.TOO_LATE), (last,)


def accept_offer(booking: Booking, offer: Offer, existing: Collection[Offer], *, event_id: str) -> Decision:
    """Return the decision about a yes to an open offer that is not due.

    The first yes wins: the booking is confirmed if it was pending, and its other open offers are closed.

    Args:
        booking: of the offer.
        offer: the open offer.
        existing: all offers of the booking.
        event_id: of the SMS.
    """
    person = Actor(f"sms:{offer.person_id}", is_operator=False)
    confirmed: Booking = booking
    transitions: tuple[Transition, ...] = ()
    if booking.status is Status.PENDING:
        metadata = {"offer_id": offer.id, "event_id": event_id}
        confirmed, transitions = change_status(
            booking, Status.CONFIRMED, by=person, reason=ACCEPTED_BY_SMS, metadata=metadata
        )
    taken = replace(confirmed, version=confirmed.version + 1)
    accepted = replace(offer, status=OfferStatus.ACCEPTED)
    event = OfferAccepted(offer=accepted, sequence=taken.version)
    others = [each for each in existing if each.is_open and each.id != offer.id]
    decision = Decision(taken, (accepted,), (event,), transitions)
    return decision.then_close(others, ClosedReason.TAKEN, by=person)


def refuse_late_yes(booking: Booking, offer: Offer) -> Decision:
    """Return the decision about a yes to an offer that is closed or due: close it, and tell the business."""
    decision = close_due_offers(booking, [offer])
    closed = decision.offers[0] if decision.offers else offer
    late = replace(decision.booking, version=decision.booking.version + 1)
    event = OfferTooLate(offer=closed, sequence=late.version)
    return replace(decision, booking=late, events=(*decision.events, event))
