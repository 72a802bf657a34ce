"""Decisions about offers: one yes wins, nothing touches money (BK-9)."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booking.domain.booking import Booking
from booking.domain.funds import Funds
from booking.domain.offers import (
    BookingClosedError,
    ClosedReason,
    Decision,
    Offer,
    OfferAccepted,
    OfferClosed,
    OfferClosedError,
    OfferExistsError,
    OfferMade,
    OfferStatus,
    OfferTooLate,
    SmsOutcome,
    accept_offer,
    choose_offer,
    close_due_offers,
    make_offer,
    refuse_late_yes,
    withdraw_offer,
)
from booking.domain.statuses import Actor, Status
from contracts.ids import BookingId
from contracts.money import Money

ADA = Actor("ada", is_operator=True)
BOOKING = Booking(
    id=BookingId("b"),
    status=Status.PENDING,
    version=1,
    transitions=1,
    total=Money(100, "USD"),
    funds=Funds(captured=40),
)


def offer(name: str = "o", **members: object) -> Offer:
    made = Offer(
        id=name,
        booking_id=BOOKING.id,
        person_id=f"person-{name}",
        phone=f"+1{name}",
        expires_at=datetime(2026, 12, 1, tzinfo=UTC),
    )
    return replace(made, **members)  # type: ignore[arg-type]


ACCEPTED = offer("a", status=OfferStatus.ACCEPTED)
TAKEN = offer("t", status=OfferStatus.CLOSED, closed_reason=ClosedReason.TAKEN)


def numbers(decision: Decision) -> list[int]:
    events = [*decision.transitions, *decision.events]
    return [event.sequence for event in events if hasattr(event, "sequence")]


@given(
    status=st.sampled_from([Status.PENDING, Status.CONFIRMED, Status.IN_PROGRESS]),
    others=st.integers(0, 5),
    expired=st.booleans(),
)
def test_yes_accepts_one_offer_closes_the_rest_and_numbers_every_event(
    status: Status, others: int, expired: bool
) -> None:
    booking = replace(BOOKING, status=status)
    mine = offer()
    rest = [offer(f"o{n}", has_expired=expired) for n in range(others)]
    decision = accept_offer(booking, mine, [mine, *rest, TAKEN], event_id="EV1")
    assert [each.status for each in decision.offers] == [OfferStatus.ACCEPTED, *[OfferStatus.CLOSED] * others]
    assert {each.closed_reason for each in decision.offers[1:]} <= {ClosedReason.TAKEN}
    assert numbers(decision) == list(range(2, decision.booking.version + 1))
    assert (decision.booking.funds, decision.booking.total) == (booking.funds, booking.total)
    confirmed = status is Status.PENDING
    assert decision.booking.status is (Status.CONFIRMED if confirmed else status)
    assert [t.changed_by for t in decision.transitions] == (["sms:person-o"] if confirmed else [])


def test_offer_is_made_and_expired_ones_are_closed_on_the_way() -> None:
    decision = make_offer(BOOKING, offer(), [offer("e", has_expired=True), TAKEN], is_past=False, by=ADA)
    assert [type(event) for event in decision.events] == [OfferClosed, OfferMade]
    assert numbers(decision) == [2, 3]


@pytest.mark.parametrize("status", [Status.COMPLETED, Status.CANCELLED])
def test_closed_booking_takes_no_offer(status: Status) -> None:
    with pytest.raises(BookingClosedError, match=status.value):
        make_offer(replace(BOOKING, status=status), offer(), [], is_past=False, by=ADA)


def test_past_booking_takes_no_offer() -> None:
    with pytest.raises(BookingClosedError, match="past"):
        make_offer(BOOKING, offer(), [], is_past=True, by=ADA)


@pytest.mark.parametrize("existing", [ACCEPTED, offer("o")])
def test_taken_booking_and_an_open_offer_to_the_phone_refuse_another(existing: Offer) -> None:
    with pytest.raises(OfferExistsError, match=f"offer {existing.id} is"):
        make_offer(BOOKING, offer(), [existing], is_past=False, by=ADA)


@pytest.mark.parametrize("existing", [ACCEPTED, offer()])
def test_open_and_accepted_offers_can_be_withdrawn_once(existing: Offer) -> None:
    decision = withdraw_offer(BOOKING, existing, by=ADA)
    assert decision.booking.status is BOOKING.status
    assert decision.offers[0].closed_reason is ClosedReason.WITHDRAWN
    assert withdraw_offer(BOOKING, decision.offers[0], by=ADA) == Decision(BOOKING)


def test_offer_that_was_closed_otherwise_cannot_be_withdrawn() -> None:
    with pytest.raises(OfferClosedError, match="taken"):
        withdraw_offer(BOOKING, TAKEN, by=ADA)


@pytest.mark.parametrize(
    ("booking", "existing", "reason"),
    [
        (BOOKING, offer(has_expired=True), ClosedReason.EXPIRED),
        (BOOKING, offer(is_past=True), ClosedReason.BOOKING_CLOSED),
        (replace(BOOKING, status=Status.CANCELLED), offer(has_expired=True), ClosedReason.BOOKING_CLOSED),
        (BOOKING, offer(), None),
        (BOOKING, ACCEPTED, None),
        (BOOKING, TAKEN, None),
    ],
)
def test_due_offers_are_closed_with_their_reason(
    booking: Booking, existing: Offer, reason: ClosedReason | None
) -> None:
    closed = close_due_offers(booking, [existing]).offers
    assert [each.closed_reason for each in closed] == ([] if reason is None else [reason])


@pytest.mark.parametrize(
    ("offers", "outcome", "chosen"),
    [
        ([], SmsOutcome.NO_OFFER, []),
        ([offer()], SmsOutcome.ACCEPTED, ["o"]),
        ([TAKEN, offer()], SmsOutcome.ACCEPTED, ["o"]),
        ([ACCEPTED, offer()], SmsOutcome.ACCEPTED, ["o"]),
        ([offer(), offer("p", has_expired=True)], SmsOutcome.ACCEPTED, ["o"]),
        ([offer(), offer("p")], SmsOutcome.AMBIGUOUS, ["o", "p"]),
        ([ACCEPTED, TAKEN], SmsOutcome.ALREADY_ACCEPTED, ["a"]),
        ([TAKEN, ACCEPTED], SmsOutcome.TOO_LATE, ["t"]),
        ([offer(has_expired=True)], SmsOutcome.TOO_LATE, ["o"]),
        ([offer(is_past=True)], SmsOutcome.TOO_LATE, ["o"]),
    ],
)
def test_yes_is_about_the_one_open_offer_else_about_the_last_one(
    offers: list[Offer], outcome: SmsOutcome, chosen: list[str]
) -> None:
    found, about = choose_offer(offers, {BOOKING.id: BOOKING})
    assert (found, [each.id for each in about]) == (outcome, chosen)


def test_late_yes_is_told_and_closes_an_offer_that_is_due() -> None:
    due = refuse_late_yes(BOOKING, offer(has_expired=True))
    assert [type(event) for event in due.events] == [OfferClosed, OfferTooLate]
    assert numbers(due) == [2, 3]
    taken = refuse_late_yes(BOOKING, TAKEN)
    assert [type(event) for event in taken.events] == [OfferTooLate]
    assert OfferAccepted not in {type(event) for event in taken.events}
