"""Snapshots survive being stored, and say the same price for ever."""

import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

import pricing.resolution
from pricing import (
    InvalidPriceRequestError,
    Override,
    PriceRequest,
    Snapshot,
    UnknownEngineVersionError,
    UnknownRateCardError,
    UnknownServiceError,
    UnreadableSnapshotError,
    agrees,
    compare,
    parse_snapshot,
    parse_snapshot_text,
    price,
    recompute,
    snapshot,
    to_json_object,
    with_override,
)
from unit.pricing.pricing_cases import CARD, requests, stay_request, visit_request

STAY = snapshot(stay_request("housesitting", 3, 3, first=date(2025, 7, 3)), CARD)
OVERRIDDEN = with_override(STAY, after=20000, reason="agreed by phone", actor="ana")

# As a release stored it. It must be readable, and its price computable, for as long as bookings are kept.
STORED_BY_ENGINE_1 = """
{"engine_version": 1, "rate_card": {"id": "default", "version": "2025-01"}, "currency": "USD",
 "inputs": {"service": "drop-in", "pets": 2, "time_zone": "America/Chicago",
  "starts_local": "2025-07-03T09:00:00-05:00", "ends_local": "2025-07-04T13:00:00-05:00",
  "visits": [{"starts_local": "2025-07-03T09:00:00-05:00", "ends_local": "2025-07-03T09:30:00-05:00"},
             {"starts_local": "2025-07-04T12:00:00-05:00", "ends_local": "2025-07-04T13:00:00-05:00"}],
  "holiday": null, "holiday_dates": ["2025-07-04"]},
 "line_items": [
  {"code": "visit", "description": "Drop-in visit", "quantity": 1, "unit_amount": 2000, "amount": 2000},
  {"code": "long_visit", "description": "Drop-in visit, 60 minutes or more",
   "quantity": 1, "unit_amount": 3200, "amount": 3200},
  {"code": "extra_pet", "description": "Extra pet", "quantity": 2, "unit_amount": 500, "amount": 1000},
  {"code": "holiday", "description": "Holiday", "quantity": 1, "unit_amount": 1000, "amount": 1000},
  {"code": "override", "description": "Agreed price", "quantity": 1, "unit_amount": -1200, "amount": -1200}],
 "total": 6000,
 "override": {"before": 7200, "after": 6000, "reason": "regular client", "actor": "ana"}}
"""


def stored_again(stored: Snapshot) -> Snapshot:
    text = json.dumps(to_json_object(stored))
    again = parse_snapshot(json.loads(text))
    assert parse_snapshot_text(text) == again
    return again


def test_snapshot_of_an_earlier_release_still_has_its_price() -> None:
    stored = parse_snapshot(json.loads(STORED_BY_ENGINE_1))
    assert agrees(stored, recompute(stored))
    assert json.loads(STORED_BY_ENGINE_1) == to_json_object(stored)


@given(requests())
def test_stored_snapshot_reads_back_equal(request_: PriceRequest) -> None:
    stored = snapshot(request_, CARD)
    assert stored_again(stored) == stored


@given(requests())
def test_recomputed_price_is_the_quoted_one(request_: PriceRequest) -> None:
    quoted = price(request_, CARD)
    stored = stored_again(snapshot(request_, CARD))
    assert recompute(stored) == quoted
    assert agrees(stored, quoted)


@given(requests(), st.integers(0, 10**9), st.integers(0, 10**9))
def test_overridden_price_is_the_agreed_one_and_no_drift(
    request_: PriceRequest, after: int, later: int
) -> None:
    first = with_override(snapshot(request_, CARD), after=after, reason="agreed", actor="ana")
    second = with_override(stored_again(first), after=later, reason="agreed again", actor="ben")
    for stored, agreed in ((first, after), (second, later)):
        assert (
            stored.total
            == recompute(stored_again(stored)).total
            == agreed
            == sum(x.amount for x in stored.lines)
        )
        assert all(line.difference == 0 for line in compare(stored, recompute(stored)))
    assert second.override == Override(before=after, after=later, reason="agreed again", actor="ben")


@pytest.mark.parametrize(("holiday", "dates"), [(None, (date(2025, 7, 4),)), (True, ()), (False, ())])
def test_snapshot_keeps_the_holidays_that_decided(*, holiday: bool | None, dates: tuple[date, ...]) -> None:
    request = stay_request("housesitting", 3, first=date(2025, 7, 3), holiday=holiday)
    assert snapshot(request, CARD).inputs.holiday_dates == dates


def test_price_once_agreed_ignores_a_calendar_that_changed_its_mind(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_holidays(*_: object) -> tuple[date, ...]:
        return ()

    stored = to_json_object(STAY)
    monkeypatch.setattr(pricing.resolution, "holidays_among", no_holidays)
    assert snapshot(stay_request("housesitting", 3, 3, first=date(2025, 7, 3)), CARD).total != STAY.total
    assert recompute(parse_snapshot(stored)).total == STAY.total


def test_price_once_agreed_ignores_a_time_zone_that_is_gone() -> None:
    stored = to_json_object(STAY)
    stored["inputs"]["time_zone"] = "Mars/Olympus"
    assert recompute(parse_snapshot(stored)).total == STAY.total


@pytest.mark.parametrize(
    ("after", "reason", "actor"),
    [(-1, "why", "ana"), (10**16, "why", "ana"), (1, " ", "ana"), (1, "why", ""), (1, "w" * 1001, "ana")],
)
def test_override_without_amount_reason_or_actor_is_refused(after: int, reason: str, actor: str) -> None:
    with pytest.raises(InvalidPriceRequestError):
        with_override(STAY, after=after, reason=reason, actor=actor)


@pytest.mark.parametrize(
    ("damaged", "error"),
    [
        (replace(STAY, card_version="1999-01"), UnknownRateCardError),
        (replace(STAY, card_id="../default"), UnknownRateCardError),
        (replace(STAY, engine_version=99), UnknownEngineVersionError),
        (replace(STAY, inputs=replace(STAY.inputs, service="grooming")), UnknownServiceError),
    ],
)
def test_snapshot_of_unknown_origin_is_not_recomputed_by_another(
    damaged: Snapshot, error: type[Exception]
) -> None:
    with pytest.raises(error):
        recompute(stored_again(damaged))


def set_(*path: str | int, to: object) -> Callable[[Any], None]:
    def damage(stored: Any) -> None:
        for step in path[:-1]:
            stored = stored[step]
        stored[path[-1]] = to

    return damage


def drop(*path: str | int) -> Callable[[Any], None]:
    def damage(stored: Any) -> None:
        for step in path[:-1]:
            stored = stored[step]
        del stored[path[-1]]

    return damage


VISIT = snapshot(visit_request("drop-in", 30, 60), CARD)
SAME_TIME = {"starts_local": "2025-03-04T09:00:00-06:00", "ends_local": "2025-03-04T09:00:00-06:00"}


@pytest.mark.parametrize(
    ("damage", "place"),
    [
        pytest.param(set_("total", to=100.0), "total", id="float total"),
        pytest.param(set_("total", to=True), "total", id="boolean total"),
        pytest.param(set_("total", to="2000"), "total", id="total as text"),
        pytest.param(set_("total", to=10**40), "total", id="total beyond 64 bits"),
        pytest.param(drop("total"), "total", id="no total"),
        pytest.param(drop("override"), "override", id="no override key"),
        pytest.param(drop("inputs", "holiday"), "inputs.holiday", id="no holiday key"),
        pytest.param(set_("inputs", "holiday", to=1), "inputs.holiday", id="holiday as number"),
        pytest.param(set_("inputs", "holiday_dates", to=["7 July"]), "inputs.holiday_dates[0]", id="no date"),
        pytest.param(set_("inputs", "holiday_dates", to=[7]), "inputs.holiday_dates[0]", id="date as number"),
        pytest.param(
            set_("inputs", "starts_local", to="2025-03-04T09:00:00"), "inputs.starts_local", id="naive"
        ),
        pytest.param(set_("inputs", "starts_local", to="soon"), "inputs.starts_local", id="no time"),
        pytest.param(
            set_("inputs", "starts_local", to="\ud800"),
            "a text has half of a surrogate pair",
            id="half a character",
        ),
        pytest.param(set_("inputs", "visits", 1, to=SAME_TIME), "visits.1.ends_at", id="empty visit"),
        pytest.param(set_("inputs", "visits", 1, to=7), "inputs.visits[1]", id="visit as number"),
        pytest.param(set_("inputs", "pets", to=0), "pets", id="no pets"),
        pytest.param(set_("inputs", "pets", to=1.0), "inputs.pets", id="float pets"),
        pytest.param(set_("inputs", to=None), "inputs", id="no inputs"),
        pytest.param(set_("line_items", 0, "amount", to=20.5), "line_items[0].amount", id="float amount"),
        pytest.param(drop("line_items", 1, "code"), "line_items[1].code", id="no code"),
        pytest.param(set_("line_items", to=[{}] * 101), "line_items", id="too many lines"),
        pytest.param(set_("rate_card", "id", to=["default"]), "rate_card.id", id="card id as list"),
        pytest.param(set_("engine_version", to="1"), "engine_version", id="engine as text"),
        pytest.param(set_("override", to={}), "override.before", id="empty override"),
    ],
)
def test_damaged_snapshot_is_refused_naming_the_place(damage: Callable[[Any], None], place: str) -> None:
    stored = to_json_object(VISIT)
    damage(stored)
    with pytest.raises(UnreadableSnapshotError) as caught:
        parse_snapshot(stored)
    assert f"{caught.value}: ".startswith(f"snapshot: {place}: ")
    assert "\n" not in str(caught.value)
    assert "`" not in str(caught.value), "a type is said in words: 'expected a whole number, got text'"
    with pytest.raises(UnreadableSnapshotError) as of_text:
        parse_snapshot_text(json.dumps(stored))
    assert str(of_text.value) == str(caught.value)


def test_key_that_a_newer_release_added_is_ignored() -> None:
    assert parse_snapshot({**to_json_object(STAY), "quoted_for": "web"}) == STAY


def paths_of(value: object) -> list[tuple[Any, ...]]:
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [(), *((key, *rest) for key, below in steps for rest in paths_of(below))]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["2025-07-04", 10**15]),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(), below, max_size=3),
    max_leaves=8,
)
DAMAGEABLE = paths_of(to_json_object(OVERRIDDEN))


@given(JSON)
def test_arbitrary_json_is_no_snapshot(value: object) -> None:
    with pytest.raises(UnreadableSnapshotError):
        parse_snapshot(value)


@given(st.sampled_from(DAMAGEABLE), JSON)
def test_value_replaced_anywhere_ends_in_a_price_or_a_pricing_error(
    path: tuple[Any, ...], value: object
) -> None:
    stored = {"": to_json_object(OVERRIDDEN)}
    set_("", *path, to=value)(stored)
    try:
        found = parse_snapshot(stored[""])
    except UnreadableSnapshotError:
        return
    assert parse_snapshot(to_json_object(found)) == found
    try:
        recomputed = recompute(found)
    except (UnknownRateCardError, UnknownEngineVersionError, UnknownServiceError):
        return
    differences = compare(replace(found, currency=recomputed.currency), recomputed)
    assert sum(line.difference for line in differences) == recomputed.total - found.total
