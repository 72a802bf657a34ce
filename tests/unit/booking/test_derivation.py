"""Payments derived from facts: the cases of BK-7, and independence of order and copies (F37)."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booking.domain.anomalies import anomalies_of
from booking.domain.booking import Booking
from booking.domain.copies import can_be_copied
from booking.domain.derivation import derive_payments
from booking.domain.facts import STATES, Fact, Kind, Links, State
from booking.domain.settlement import RecordedPayment, record, settle, sum_funds
from booking.domain.statuses import Status
from contracts.ids import BookingId
from contracts.money import Money

ID = BookingId("0198c5a0-0000-7000-8000-000000000001")
OTHER = BookingId("0198c5a0-0000-7000-8000-000000000002")
TOTAL = 13200
PENDING = Booking(id=ID, status=Status.PENDING, version=1, transitions=1, total=Money(TOTAL, "USD"))


def usd(amount: int) -> Money:
    return Money(amount, "USD")


_COUNTER = iter(range(10**9))


def fact(
    kind: Kind,
    object_id: str,
    state: State = State.SUCCEEDED,
    amount: int | None = None,
    *,
    at: int = 0,
    refunded: int | None = None,
    intent: str | None = None,
    charge: str | None = None,
    invoice: str | None = None,
    of: str | None = None,
    reason: str | None = None,
) -> Fact:
    return Fact(
        provider="stripe",
        event_id=f"evt_{next(_COUNTER)}",
        occurred_at=at,
        kind=kind,
        object_id=object_id,
        state=state,
        amount=None if amount is None else usd(amount),
        refunded=refunded,
        links=Links(intents=() if intent is None else (intent,), charge=charge, invoice=invoice),
        booking_reference=of,
        reason=reason,
    )


def intent(name: str = "pi_1", amount: int = TOTAL, *, of: str | None = ID, at: int = 1) -> Fact:
    return fact(Kind.INTENT, name, amount=amount, of=of, at=at)


def session(state: State, *, at: int = 2, pi: str | None = "pi_1", of: str | None = ID) -> Fact:
    amount = TOTAL if state is State.SUCCEEDED else None
    return fact(Kind.SESSION, "cs_1", state, amount, at=at, intent=pi, of=of)


def refunded(amount: int, *, at: int = 5, name: str = "1") -> Fact:
    """Return what `charge.refunded` says: the sum of all refunds of the charge so far."""
    return fact(Kind.CHARGE, f"ch_{name}", amount=TOTAL, refunded=amount, at=at, intent=f"pi_{name}", of=None)


def refund(state: State, amount: int, *, at: int = 5, name: str = "re_1") -> Fact:
    return fact(Kind.REFUND, name, state, amount, at=at, intent="pi_1", charge="ch_1")


def dispute(state: State, *, at: int = 7, pi: str | None = None, amount: int = TOTAL) -> Fact:
    return fact(Kind.DISPUTE, "dp_1", state, amount, at=at, charge="ch_1", intent=pi)


def known_charge() -> Fact:
    return fact(Kind.CHARGE, "ch_1", amount=TOTAL, intent="pi_1", refunded=0, at=1)


def outcome(facts: Sequence[Fact]) -> tuple[str, str, list[str]]:
    """Return status, payment status and the kinds of open anomalies of a booking with these facts."""
    recorded = [
        item
        for payment in derive_payments(facts)
        if (item := record(payment, PENDING if payment.booking_reference == ID else None, ())) is not None
    ]
    own = [item for item in recorded if item.booking_id == ID]
    booking, _ = settle(PENDING, [(None, item) for item in own], sum_funds(own)) if own else (PENDING, ())
    anomalies = [
        key.kind.value
        for item in recorded
        for key in anomalies_of(item, PENDING if item.booking_id else None)
    ]
    return booking.status.value, booking.payment_status.value, sorted(anomalies)


CASES: dict[str, tuple[Callable[[], list[Fact]], tuple[str, str, list[str]]]] = {
    "the session names the booking, its intent does not": (
        lambda: [intent(of=None), session(State.SUCCEEDED)],
        ("confirmed", "paid", []),
    ),
    "an intent without metadata alone is an anomaly": (
        lambda: [intent(of=None)],
        ("pending", "unpaid", ["booking_id_missing"]),
    ),
    "an unpaid session pays nothing yet": (
        lambda: [session(State.PENDING)],
        ("pending", "unpaid", []),
    ),
    "an unpaid session is paid later": (
        lambda: [session(State.PENDING), session(State.SUCCEEDED, at=9)],
        ("confirmed", "paid", []),
    ),
    "a session fails later": (
        lambda: [session(State.PENDING), session(State.FAILED, at=9)],
        ("pending", "unpaid", []),
    ),
    "a session without a payment pays nothing": (
        lambda: [session(State.NOTHING_DUE, pi=None)],
        ("pending", "unpaid", []),
    ),
    "cumulative refunds are not added up": (
        lambda: [intent(), refunded(1000), refunded(1500, at=6)],
        ("confirmed", "partially_refunded", []),
    ),
    "a full refund": (lambda: [intent(), refunded(TOTAL)], ("confirmed", "refunded", [])),
    "paid twice and one refunded is paid": (
        lambda: [intent(), intent("pi_2"), refunded(TOTAL, name="2")],
        ("confirmed", "paid", []),
    ),
    "paid twice": (lambda: [intent(), intent("pi_2")], ("confirmed", "overpaid", [])),
    "a refund that fails afterwards": (
        lambda: [
            intent(),
            refunded(TOTAL),
            refund(State.SUCCEEDED, TOTAL),
            refund(State.FAILED, TOTAL, at=8),
        ],
        ("confirmed", "paid", ["refund_failed"]),
    ),
    "a failed refund that was repeated": (
        lambda: [
            intent(),
            refund(State.SUCCEEDED, TOTAL),
            refund(State.FAILED, TOTAL, at=8),
            refund(State.SUCCEEDED, TOTAL, at=9, name="re_2"),
        ],
        ("confirmed", "refunded", []),
    ),
    "a failed refund of a part that was repeated": (
        lambda: [
            intent(),
            refund(State.FAILED, 1000, at=8),
            refund(State.SUCCEEDED, 1000, at=9, name="re_2"),
        ],
        ("confirmed", "partially_refunded", []),
    ),
    "a failed refund of a part that an earlier refund does not replace": (
        lambda: [
            intent(),
            refund(State.SUCCEEDED, 1000, at=5, name="re_0"),
            refund(State.FAILED, 1000, at=8),
        ],
        ("confirmed", "partially_refunded", ["refund_failed"]),
    ),
    "a failed refund that was repeated and is known by its charge only": (
        lambda: [intent(), refunded(TOTAL), refund(State.FAILED, TOTAL, at=8), refunded(TOTAL, at=9)],
        ("confirmed", "refunded", []),
    ),
    "a cancelled refund gives the money back": (
        lambda: [intent(), refund(State.PENDING, TOTAL), refund(State.CANCELED, TOTAL, at=8)],
        ("confirmed", "paid", []),
    ),
    "a dispute is found by the intent": (
        lambda: [intent(), dispute(State.OPEN, pi="pi_1")],
        ("confirmed", "disputed", []),
    ),
    "a dispute is found by the charge": (
        lambda: [intent(), known_charge(), dispute(State.OPEN)],
        ("confirmed", "disputed", []),
    ),
    "an inquiry is no dispute": (
        lambda: [intent(), dispute(State.INQUIRY, pi="pi_1")],
        ("confirmed", "paid", []),
    ),
    "a dispute that was won": (
        lambda: [intent(), dispute(State.OPEN, pi="pi_1"), dispute(State.WON, at=9, pi="pi_1")],
        ("confirmed", "paid", []),
    ),
    "a dispute that was lost": (
        lambda: [intent(), dispute(State.OPEN, pi="pi_1"), dispute(State.LOST, at=9, pi="pi_1")],
        ("confirmed", "refunded", ["dispute_lost"]),
    ),
    "an invoice and its intent are one payment": (
        lambda: [
            intent(of=None),
            fact(Kind.INVOICE, "in_1", amount=TOTAL, intent="pi_1", of=ID),
            fact(Kind.INVOICE, "in_1", amount=TOTAL, intent="pi_1", of=ID, at=2),
        ],
        ("confirmed", "paid", []),
    ),
    "an invoice that only an invoice payment links": (
        lambda: [
            intent(of=None),
            fact(Kind.INVOICE, "in_1", amount=TOTAL, of=ID),
            fact(Kind.INVOICE_PAYMENT, "inpay_1", intent="pi_1", invoice="in_1"),
        ],
        ("confirmed", "paid", []),
    ),
    "an invoice whose charge only names the invoice": (
        lambda: [
            fact(Kind.INVOICE, "in_1", amount=TOTAL, charge="ch_1", of=ID),
            fact(Kind.CHARGE, "ch_1", amount=TOTAL, invoice="in_1"),
        ],
        ("confirmed", "paid", []),
    ),
    "an invoice paid in two parts": (
        lambda: [
            intent("pi_1", 10000, of=None),
            intent("pi_2", 3200, of=None),
            replace(fact(Kind.INVOICE, "in_1", amount=TOTAL, of=ID), links=Links(intents=("pi_1", "pi_2"))),
        ],
        ("confirmed", "paid", []),
    ),
    "an invoice paid out of band": (
        lambda: [
            fact(Kind.INTENT, "pi_1", State.CANCELED),
            fact(Kind.INVOICE, "in_1", State.OUT_OF_BAND, TOTAL, intent="pi_1", of=ID),
        ],
        ("confirmed", "paid", ["paid_out_of_band"]),
    ),
    "a second intent fails after the first succeeded": (
        lambda: [intent(), fact(Kind.INTENT, "pi_2", State.FAILED, of=ID, at=9)],
        ("confirmed", "paid", []),
    ),
    "an intent fails before it succeeds": (
        lambda: [fact(Kind.INTENT, "pi_1", State.FAILED, of=ID), intent(at=9)],
        ("confirmed", "paid", []),
    ),
    "two objects name different bookings": (
        lambda: [intent(), session(State.SUCCEEDED, of=OTHER)],
        ("confirmed", "paid", ["payment_conflict"]),
    ),
    "two reports of one intent differ": (
        lambda: [intent(at=1), intent(amount=1, at=2)],
        ("confirmed", "paid", ["payment_conflict"]),
    ),
    "a refund before its payment is known": (
        lambda: [refund(State.SUCCEEDED, TOTAL)],
        ("pending", "unpaid", []),
    ),
    "a failed refund that a smaller one does not replace": (
        lambda: [
            intent(),
            refund(State.SUCCEEDED, TOTAL),
            refund(State.FAILED, TOTAL, at=8),
            refund(State.SUCCEEDED, 100, at=9, name="re_2"),
        ],
        ("confirmed", "partially_refunded", ["refund_failed"]),
    ),
    "an intent that names its invoice": (
        lambda: [
            fact(Kind.INTENT, "pi_1", amount=TOTAL, invoice="in_1"),
            fact(Kind.INVOICE, "in_1", amount=TOTAL, of=ID),
        ],
        ("confirmed", "paid", []),
    ),
    "a session that only names an invoice": (
        lambda: [
            fact(Kind.SESSION, "cs_1", amount=TOTAL, invoice="in_1", of=ID),
            fact(Kind.INVOICE, "in_1", amount=TOTAL),
        ],
        ("confirmed", "paid", []),
    ),
    "refunded money of no booking needs nobody": (
        lambda: [intent(of=None), refunded(TOTAL)],
        ("pending", "unpaid", []),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_facts_in_any_order_and_number_have_one_outcome(name: str) -> None:
    make, expected = CASES[name]
    facts = make()
    payments = derive_payments(facts)
    assert outcome(facts) == expected
    for order in permutations(facts):
        assert derive_payments([*order, order[0]]) == payments


def step(
    state: tuple[Booking, list[RecordedPayment]], facts: Sequence[Fact]
) -> tuple[Booking, list[RecordedPayment]]:
    """Apply a growing set of facts as the handler does: compare with what is recorded, then settle."""
    booking, before = state
    by_key = {item.key: item for item in before}
    after = [
        item
        for payment in derive_payments(facts)
        if (
            item := record(
                payment, booking, [b for b in before if b.payment.payment_id in payment.object_ids]
            )
        )
        is not None
    ]
    changes = [(by_key.get(item.key), item) for item in after]
    booking, _ = settle(booking, changes, sum_funds(after))
    return booking, after


@pytest.mark.parametrize("name", CASES)
def test_status_and_history_do_not_depend_on_the_order_of_arrival(name: str) -> None:
    facts = CASES[name][0]()
    # A contradiction about the booking is the exception: the first name that arrives may confirm it.
    facts = [replace(item, booking_reference=item.booking_reference and ID) for item in facts]
    ends = set[tuple[Status, str, int]]()
    for order in permutations(facts):
        state: tuple[Booking, list[RecordedPayment]] = (PENDING, [])
        for count in range(1, len(order) + 1):
            state = step(state, order[:count])
        booking = state[0]
        ends.add((booking.status, booking.payment_status.value, booking.transitions))
    assert len(ends) == 1


def test_failure_has_the_reason_of_an_object_that_gives_one() -> None:
    silent = fact(Kind.INTENT, "pi_1", State.FAILED, charge="ch_1", of=ID)
    declined = fact(Kind.CHARGE, "ch_1", State.FAILED, intent="pi_1", reason="card_declined")
    assert [payment.reason for payment in derive_payments([silent])] == [None]
    assert [payment.reason for payment in derive_payments([silent, declined])] == ["card_declined"]


OBJECTS: Sequence[tuple[Kind, str, Links]] = (
    (Kind.INTENT, "pi_1", Links(charge="ch_1")),
    (Kind.INTENT, "pi_2", Links()),
    (Kind.SESSION, "cs_1", Links(intents=("pi_1",))),
    (Kind.INVOICE, "in_1", Links(intents=("pi_2",))),
    (Kind.INVOICE_PAYMENT, "inpay_1", Links(intents=("pi_2",), invoice="in_1")),
    (Kind.CHARGE, "ch_1", Links(intents=("pi_1",))),
    (Kind.REFUND, "re_1", Links(charge="ch_1")),
    (Kind.REFUND, "re_2", Links(intents=("pi_1",), charge="ch_1")),
    (Kind.DISPUTE, "dp_1", Links(charge="ch_1")),
)
COPIED = [
    item for item in OBJECTS if item[0] in (Kind.INTENT, Kind.SESSION, Kind.CHARGE, Kind.INVOICE_PAYMENT)
]
AMOUNTS = {Kind.REFUND: 4000, Kind.DISPUTE: 5000}


@st.composite
def any_facts(draw: st.DrawFn) -> list[Fact]:
    facts: list[Fact] = []
    for number in range(draw(st.integers(1, 12))):
        kind, name, links = draw(st.sampled_from(OBJECTS))
        state = draw(st.sampled_from([state for group in STATES[kind] for state in group]))
        facts.append(
            Fact(
                provider="stripe",
                event_id=f"evt_{number}",
                occurred_at=draw(st.integers(0, 5)),
                kind=kind,
                object_id=name,
                state=state,
                amount=usd(AMOUNTS.get(kind, TOTAL)),
                refunded=draw(st.sampled_from([0, 4000, 8000])) if kind is Kind.CHARGE else None,
                links=links,
                booking_reference=draw(st.sampled_from([None, ID])),
            )
        )
    return facts


@given(facts=any_facts(), data=st.data())
def test_any_set_of_facts_has_one_outcome_and_conserves_money(facts: list[Fact], data: st.DataObject) -> None:
    payments = derive_payments(facts)
    shuffled = data.draw(st.permutations([*facts, *facts[:3]]))
    assert derive_payments(shuffled) == payments
    for payment in payments:
        parts = (payment.refunded, payment.disputed, payment.lost, payment.refund_pending, payment.held)
        assert all(0 <= part <= payment.captured.amount for part in parts)
        assert payment.refund_pending <= payment.refunded
        assert payment.disputed <= payment.held
    arrivals, state = data.draw(st.permutations(facts)), (PENDING, list[RecordedPayment]())
    for count in range(1, len(arrivals) + 1):
        state = step(state, arrivals[:count])
    once, _ = step((PENDING, []), facts)
    booking = state[0]
    assert (booking.status, booking.funds, booking.transitions) == (once.status, once.funds, once.transitions)


@given(facts=any_facts(), data=st.data())
def test_later_copy_of_a_fact_that_can_be_copied_changes_no_payment(
    facts: list[Fact], data: st.DataObject
) -> None:
    kind, name, links = data.draw(st.sampled_from(COPIED))
    added = fact(kind, name, amount=TOTAL, at=data.draw(st.integers(0, 5)), of=ID)
    facts = [
        replace(item, position=position)
        for position, item in enumerate([replace(added, links=links), *facts])
    ]
    first = data.draw(st.sampled_from([item for item in facts if can_be_copied(item)]))
    copy = replace(
        first,
        event_id="evt_of_the_copy",
        occurred_at=data.draw(st.integers(first.occurred_at, 6)),
        position=len(facts),
    )
    assert derive_payments([*facts, copy]) == derive_payments(facts)


def test_fact_that_may_be_overtaken_cannot_be_copied() -> None:
    copied = [known_charge(), intent(), intent(of=None), session(State.SUCCEEDED)]
    assert all(map(can_be_copied, copied))
    told_anew = [
        refunded(1000),
        refund(State.SUCCEEDED, 1000),
        dispute(State.WON),
        fact(Kind.INTENT, "pi_1", State.FAILED, reason="card_declined"),
        fact(Kind.INVOICE, "in_1", State.OUT_OF_BAND, TOTAL),
        # The text of such a reference stands apart, where it can be erased.
        intent(of="B-17"),
    ]
    assert not any(map(can_be_copied, told_anew))
