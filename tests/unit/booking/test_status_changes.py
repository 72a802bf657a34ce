"""The transition table cell by cell, and the history after any sequence of events (BK-1, BK-4)."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booking.domain.booking import Booking, IllegalTransitionError, Transition, change_status, open_booking
from booking.domain.funds import Funds
from booking.domain.payments import Payment, PaymentEvent, PaymentState
from booking.domain.settlement import RecordedPayment, record, settle, sum_funds
from booking.domain.statuses import STRIPE, TRANSITIONS, Actor, Status
from contracts.ids import BookingId
from contracts.money import Money

OPERATOR = Actor("user-7", is_operator=True)
ID = BookingId("0198c5a0-0000-7000-8000-000000000001")

LEGAL = {
    ("pending", "confirmed"),
    ("pending", "cancelled"),
    ("confirmed", "pending"),
    ("confirmed", "in_progress"),
    ("confirmed", "completed"),
    ("confirmed", "cancelled"),
    ("in_progress", "completed"),
    ("in_progress", "cancelled"),
}


def booking(status: Status, *, total: int = 13200, captured: int = 0) -> Booking:
    return Booking(
        id=ID,
        status=status,
        version=4,
        transitions=2,
        total=Money(total, "USD"),
        funds=Funds(captured=captured),
    )


@pytest.mark.parametrize("to", Status)
@pytest.mark.parametrize("start", Status)
@pytest.mark.parametrize("actor", [OPERATOR, STRIPE], ids=lambda actor: actor.name)
def test_each_cell_of_the_table(start: Status, to: Status, actor: Actor) -> None:
    legal = (start, to) in LEGAL and (actor.is_operator or (start, to) != ("confirmed", "pending"))
    if start is to:
        assert change_status(booking(start), to, by=actor) == (booking(start), ())
    elif legal:
        changed, (transition,) = change_status(booking(start), to, by=actor, reason="because")
        assert (changed.status, changed.version, changed.transitions) == (to, 5, 3)
        assert (transition.from_status, transition.to_status) == (start, to)
        assert (transition.sequence, transition.version) == (5, 3)
        assert (transition.changed_by, transition.reason) == (actor.name, "because")
    else:
        with pytest.raises(IllegalTransitionError) as refused:
            change_status(booking(start), to, by=actor)
        assert refused.value.from_status is start
        assert refused.value.to_status is to
        assert to not in refused.value.allowed


def test_refusal_names_what_is_allowed() -> None:
    with pytest.raises(IllegalTransitionError, match="choose one of confirmed, cancelled"):
        change_status(booking(Status.PENDING), Status.COMPLETED, by=OPERATOR)
    with pytest.raises(IllegalTransitionError, match="that status is final"):
        change_status(booking(Status.CANCELLED), Status.CONFIRMED, by=OPERATOR)


def test_completed_and_cancelled_are_final() -> None:
    assert TRANSITIONS[Status.COMPLETED] == TRANSITIONS[Status.CANCELLED] == ()


def test_creation_is_the_first_transition() -> None:
    opened, created = open_booking(ID, Money(2000, "USD"), by=OPERATOR)
    assert (opened.status, opened.version, opened.transitions) == (Status.PENDING, 1, 1)
    assert (created.from_status, created.to_status, created.version) == (None, Status.PENDING, 1)


commands = st.tuples(st.sampled_from(Status), st.sampled_from([OPERATOR, STRIPE]))
payments = st.builds(
    Payment,
    provider=st.just("stripe"),
    payment_id=st.sampled_from(["pi_1", "pi_2", "pi_3"]),
    state=st.just(PaymentState.SUCCEEDED),
    booking_reference=st.just(ID),
    captured=st.builds(Money, st.integers(0, 20000), st.sampled_from(["USD", "USD", "EUR"])),
    event_id=st.text(min_size=1, max_size=5),
)


@given(st.lists(commands | payments, max_size=30))
def test_any_sequence_leaves_a_legal_gap_free_history(steps: list[tuple[Status, Actor] | Payment]) -> None:
    current, created = open_booking(ID, Money(13200, "USD"), by=OPERATOR)
    events: list[PaymentEvent] = [created]
    recorded: dict[str, RecordedPayment] = {}
    for item in steps:
        if isinstance(item, Payment):
            before = recorded.get(item.payment_id)
            after = record(item, current, [] if before is None else [before])
            assert after is not None
            recorded[item.payment_id] = after
            current, new = settle(current, [(before, after)], sum_funds(recorded.values()))
            events += new
        else:
            try:
                current, transitions = change_status(current, item[0], by=item[1])
            except IllegalTransitionError:
                continue
            events += transitions
    history = [event for event in events if isinstance(event, Transition)]
    assert [event.sequence for event in events] == list(range(1, current.version + 1))
    assert [transition.version for transition in history] == list(range(1, current.transitions + 1))
    assert history[-1].to_status is current.status
    for before, transition in itertools.pairwise(history):
        assert transition.from_status is before.to_status
        assert (transition.from_status, transition.to_status) in LEGAL
    counted = [item.payment.captured.amount for item in recorded.values() if item.exclusion is None]
    assert current.funds.captured == sum(counted)
