"""What differs between two states of a booking adds up, and steps that may follow (BK-14)."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from booking.domain.funds import PaymentStatus
from booking.domain.revisions import Revision, compare, next_steps
from booking.domain.statuses import TRANSITIONS, Status
from contracts.ids import BookingId
from contracts.money import Money

STATE = Revision(
    id=1,
    booking_id=BookingId("0198c5a0-0000-7000-8000-000000000001"),
    version=1,
    recorded_at=datetime(2026, 11, 1, tzinfo=UTC),
    written_by="booking",
    status=Status.PENDING,
    payment_status=PaymentStatus.UNPAID,
    total=Money(3200, "USD"),
    captured=0,
    refunded=0,
    pricing=None,
    payments=(),
    is_first_known=False,
)

lines = st.lists(
    st.fixed_dictionaries(
        {"code": st.sampled_from(["visit", "night", "override"]), "amount": st.integers(-500, 500)}
    ),
    max_size=4,
)
pricings = st.one_of(
    st.none(),
    st.fixed_dictionaries({"line_items": lines}),
    st.sampled_from([{}, {"line_items": None}, {"line_items": [1, {"amount": "a"}]}]),
)


def state(total: int, pricing: Any) -> Revision:
    return replace(STATE, total=Money(total, "USD"), pricing=pricing)


@given(st.integers(0, 5000), pricings, st.integers(0, 5000), pricings)
def test_line_differences_add_up_whatever_is_stored(
    total: int, pricing: Any, later_total: int, later_pricing: Any
) -> None:
    price = compare(state(total, pricing), state(later_total, later_pricing)).price
    assert price is not None
    assert price.difference == later_total - total
    assert sum(line.difference for line in price.lines) + price.other == price.difference
    assert all(line.before != line.after or line.change != "changed" for line in price.lines)


def test_lines_are_compared_by_code() -> None:
    before = {"line_items": [{"code": "visit", "amount": 4000}, {"code": "visit", "amount": 100}]}
    after = {"line_items": [{"code": "visit", "amount": 4000}, {"code": "holiday", "amount": 1000}]}
    price = compare(state(4100, before), state(5000, after)).price
    assert price is not None
    assert [(line.change, line.code, line.difference) for line in price.lines] == [
        ("removed", "visit", -100),
        ("added", "holiday", 1000),
    ]
    assert price.other == 0


def test_other_currency_has_no_price_difference() -> None:
    differences = compare(STATE, replace(STATE, total=Money(3200, "EUR")))
    assert differences.price is None
    assert [field.field for field in differences.fields] == ["total"]


def test_each_other_status_is_allowed_or_has_a_reason() -> None:
    for status in Status:
        steps = next_steps(status)
        assert {step.to for step in steps} == set(Status) - {status}
        assert {step.to for step in steps if step.why is None} == set(TRANSITIONS[status])
