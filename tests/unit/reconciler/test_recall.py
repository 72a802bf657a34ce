"""Recall: every corruption of a money field by two cents or more is found, and nothing else (F31, R4)."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from pricing import PriceRequest
from reconciler.domain.bookings import StoredBooking
from reconciler.domain.evaluate import Evaluation
from unit.reconciler.stored_bookings import booking, evaluated, request

AMOUNT_MAX = 10**12

services = st.sampled_from(["drop-in", "dog-walking", "pet-taxi", "housesitting", "24-7-care"])
requests = st.builds(
    request,
    service=services,
    pets=st.integers(1, 6),
    holiday=st.sampled_from([True, False, None]),
    ends_at=st.integers(1, 10).map(lambda days: request().starts_at + timedelta(days=days)),
)
differences = st.integers(2, 5) | st.integers(2, AMOUNT_MAX)
signed = st.builds(lambda size, sign: size * sign, differences, st.sampled_from([-1, 1]))

Path = tuple[str | int, ...]


def money_fields(pricing: dict[str, Any]) -> Iterator[Path]:
    yield ("total",)
    for index, _line in enumerate(pricing["line_items"]):
        yield ("line_items", index, "amount")
        yield ("line_items", index, "unit_amount")


def corrupted(stored: StoredBooking, path: Path, difference: int) -> StoredBooking:
    pricing = json.loads(stored.pricing or "")
    place: Any = pricing
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] += difference
    return replace(stored, pricing=json.dumps(pricing))


def assert_found(evaluation: Evaluation) -> None:
    assert evaluation.outcome == "drifted"
    [finding] = [finding for finding in evaluation.findings if finding.type == "pricing_drift"]
    assert sum(line.difference for line in finding.lines) == finding.drift
    assert all(line.difference == line.recomputed_amount - line.snapshot_amount for line in finding.lines)


@settings(deadline=None)
@given(requests)
def test_price_as_the_engine_made_it_is_clean(price_request: PriceRequest) -> None:
    assert evaluated(booking(price_request)).outcome == "clean"


@settings(deadline=None)
@given(requests, signed, st.data())
def test_corrupted_field_of_the_snapshot_is_found(
    price_request: PriceRequest, difference: int, data: st.DataObject
) -> None:
    stored = booking(price_request)
    path = data.draw(st.sampled_from(list(money_fields(json.loads(stored.pricing or "")))))
    assert_found(evaluated(corrupted(stored, path, difference)))


@settings(deadline=None)
@given(requests, st.data())
def test_fields_that_make_up_for_each_other_are_found(
    price_request: PriceRequest, data: st.DataObject
) -> None:
    stored = booking(price_request)
    amounts = [path for path in money_fields(json.loads(stored.pricing or "")) if path[-1] == "amount"]
    if len(amounts) < 2:
        return
    one, other = data.draw(st.permutations(amounts))[:2]
    difference = data.draw(signed)
    assert_found(evaluated(corrupted(corrupted(stored, one, difference), other, -difference)))


@settings(deadline=None)
@given(requests, signed)
def test_corrupted_total_of_the_booking_is_found(price_request: PriceRequest, difference: int) -> None:
    stored = booking(price_request)
    assert_found(evaluated(replace(stored, total=stored.total + difference)))


@settings(deadline=None)
@given(requests, signed)
def test_all_stored_totals_changed_alike_are_found(price_request: PriceRequest, difference: int) -> None:
    stored = booking(price_request)
    alike = corrupted(replace(stored, total=stored.total + difference), ("total",), difference)
    assert_found(evaluated(corrupted(alike, ("line_items", 0, "amount"), difference)))


@settings(deadline=None)
@given(requests, signed)
def test_corrupted_charge_is_found(price_request: PriceRequest, difference: int) -> None:
    stored = booking(price_request)
    assert_found(evaluated(replace(stored, captured=stored.captured + difference)))


@settings(deadline=None)
@given(requests, signed, signed, signed)
def test_everything_corrupted_at_once_still_adds_up(
    price_request: PriceRequest, total: int, own_total: int, charge: int
) -> None:
    stored = booking(price_request)
    worst = replace(stored, total=stored.total + total, captured=stored.captured + charge)
    assert_found(evaluated(corrupted(worst, ("total",), own_total)))


@settings(deadline=None)
@given(requests, st.sampled_from([-1, 1]), st.data())
def test_single_cent_anywhere_is_not_flagged(
    price_request: PriceRequest, cent: int, data: st.DataObject
) -> None:
    stored = booking(price_request)
    amounts = [path for path in money_fields(json.loads(stored.pricing or "")) if path[-1] != "unit_amount"]
    path = data.draw(st.sampled_from(amounts))
    assert evaluated(corrupted(stored, path, cent)).outcome == "clean"
