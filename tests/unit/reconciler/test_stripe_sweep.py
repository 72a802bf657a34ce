"""The Stripe sweep's decisions: pages, windows, what is missed, records, differences, back-off (REC-13)."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.metadata import read_metadata
from contracts.stripe_events import APPLIED_TYPES
from harness.stripe_api import API_KEY, Failure, StripeApi, stripe_api
from reconciler.adapters.stripe_client import StripeLists
from reconciler.domain.stripe_pages import REPEATS_MAX, Listed, Position, RepeatedPageError, next_position
from reconciler.domain.sweep_windows import HORIZON, OVERLAP, PENDING, Coverage, window
from reconciler.domain.sweeps import (
    DELAY_SECONDS_MAX,
    SweepDelayedError,
    SweepRefusedError,
    delay_seconds,
)
from reconciler.domain.swept_events import SweptEvent, headers_of, read_event, sort_events
from reconciler.handlers.sweep_pages import GROUPS
from webhook_gateway.domain.document import read_document
from webhook_gateway.domain.flag_table import Verification
from webhook_gateway.domain.identity import EventIdentity, SignedFacts, identify
from webhook_gateway.domain.refused import Refused
from webhook_gateway.domain.source import STRIPE_IDENTITY
from webhook_gateway.handlers.records import accepted_record

NOW = datetime(2026, 11, 30, 10, tzinfo=UTC)
BOOKING = "0198c5a0-0000-7000-8000-000000000001"
EVENTS = "/v1/events"


# --- pages -----------------------------------------------------------------------------------


async def read_all(api: StripeApi) -> list[str]:
    lists = StripeLists(API_KEY, api.url)
    position: Position | None = Position(10_000)
    ids: list[str] = []
    try:
        while position is not None:
            page = await lists.page("event", position, since=0)
            ids += [listed.id for listed in page.listed]
            position = next_position(position, page.listed, has_more=page.has_more)
    finally:
        await lists.close()
    return ids


@pytest.mark.parametrize("per_second", [1, 7, 99, 100, 101, 250])
async def test_every_object_of_a_list_is_read(per_second: int) -> None:
    with stripe_api() as api:
        api.lists[EVENTS] = [
            {"id": f"evt_{number:04}", "created": number // per_second, "type": "charge.failed"}
            for number in range(430)
        ]
        ids = await read_all(api)
    assert set(ids) == {f"evt_{number:04}" for number in range(430)}


async def test_page_that_comes_twice_hides_nothing() -> None:
    with stripe_api() as api:
        api.lists[EVENTS] = [
            {"id": f"evt_{number:04}", "created": number, "type": "charge.failed"} for number in range(250)
        ]
        api.failures[EVENTS] = [Failure(), Failure(repeats=True)]
        assert len(set(await read_all(api))) == 250


def test_list_that_repeats_itself_ends_with_a_reason() -> None:
    position: Position | None = Position(7)
    page = [Listed("evt_1", 7)]
    for _ in range(REPEATS_MAX):
        assert position is not None
        position = next_position(position, page, has_more=True)
    assert position is not None
    with pytest.raises(RepeatedPageError, match="evt_1"):
        next_position(position, page, has_more=True)
    with pytest.raises(RepeatedPageError):
        next_position(Position(7), [], has_more=True)
    assert next_position(Position(7), [], has_more=False) is None


async def test_failed_request_says_whether_and_when_to_come_again() -> None:
    with stripe_api() as api:
        lists = StripeLists(API_KEY, api.url)
        api.failures[EVENTS] = [Failure(429, {"Retry-After": "7"}), 500, 401, 403]
        for wait in (7.0, 0.0):
            with pytest.raises(SweepDelayedError) as delayed:
                await lists.page("event", Position(1), since=0)
            assert delayed.value.retry_after_seconds == wait
        for words in ("set a valid key", "may not read events"):
            with pytest.raises(SweepRefusedError, match=words):
                await lists.page("event", Position(1), since=0)
        assert lists.requests == 4, "the client repeats nothing"
        assert await lists.fetch("charge", "ch_1") is None
        await lists.close()


def test_delays_grow_and_are_never_shorter_than_stripe_asks() -> None:
    assert [delay_seconds(attempt, 0) for attempt in (1, 2, 3)] == [2, 4, 8]
    assert delay_seconds(60, 0) == DELAY_SECONDS_MAX
    assert delay_seconds(1, 600) == 600


# --- windows ---------------------------------------------------------------------------------


def test_first_sweep_reads_as_far_back_as_the_list_goes() -> None:
    times = window(None, since=None, grace=timedelta(days=1), now=NOW)
    assert (times.events_since, times.objects_since) == (NOW - HORIZON, NOW - HORIZON)
    assert (times.objects_until, times.until) == (NOW - timedelta(days=1), NOW)


def test_next_sweep_overlaps_the_last_one_and_reads_again_what_was_pending() -> None:
    until, objects_until = NOW - timedelta(days=1), NOW - timedelta(days=2)
    times = window(Coverage(until, None, objects_until), since=None, grace=timedelta(days=1), now=NOW)
    assert (times.events_since, times.objects_since) == (until - OVERLAP, objects_until - OVERLAP)
    pending = NOW - timedelta(days=4)
    times = window(Coverage(until, pending, objects_until), since=None, grace=timedelta(days=1), now=NOW)
    assert times.events_since == pending - OVERLAP


@given(
    st.lists(st.floats(min_value=0, max_value=40), max_size=30),
    st.lists(st.floats(min_value=0.01, max_value=9), min_size=1, max_size=12),
)
def test_every_undelivered_event_is_missed_in_time(ages: list[float], pauses: list[float]) -> None:
    """However sweeps follow each other: no event older than three days is left out of the last one."""
    start = NOW - timedelta(days=sum(pauses))
    last: Coverage | None = None
    created = [start + timedelta(days=age - 20) for age in ages]
    missed: set[datetime] = set()
    now = start
    for pause in pauses:
        now += timedelta(days=pause)
        times = window(last, since=None, grace=timedelta(days=1), now=now)
        listed = [each for each in created if max(times.events_since, now - HORIZON) <= each <= now]
        missed |= {each for each in listed if now - each >= PENDING}
        pending = [each for each in listed if now - each < PENDING]
        last = Coverage(now, min(pending, default=None), now - timedelta(days=1))
    assert {each for each in created if PENDING <= now - each <= timedelta(days=20)} <= missed


# --- events ----------------------------------------------------------------------------------


def event(**members: Any) -> dict[str, Any]:
    subject = {"id": "pi_1", "object": "payment_intent", "metadata": {"booking_id": BOOKING}}
    return {
        "id": "evt_1",
        "object": "event",
        "type": "payment_intent.succeeded",
        "created": int((NOW - timedelta(days=4)).timestamp()),
        "data": {"object": subject},
        **members,
    }


def read(item: dict[str, Any]) -> SweptEvent:
    swept = read_event(item)
    assert swept is not None
    return swept


def test_unknown_event_is_pending_for_three_days_and_missed_then() -> None:
    ages = {"evt_old": timedelta(days=9), "evt_due": PENDING, "evt_young": PENDING - timedelta(seconds=1)}
    events = [read(event(id=name, created=int((NOW - age).timestamp()))) for name, age in ages.items()]
    known = read(event(id="evt_known"))
    result = sort_events([*events, known], {"evt_known"}, now=NOW)
    assert result.known == 1
    assert [each.id for each in result.missed] == ["evt_old", "evt_due"]
    assert [each.id for each in result.pending] == ["evt_young"]


SUBJECTS: list[Any] = [
    {"id": "pi_1", "metadata": {"booking_id": BOOKING}},
    {"id": "pi_1", "metadata": {"booking_id": f"  {BOOKING.upper()} "}},
    {"id": "pi_1", "metadata": {"booking_id": "old-4711", "bookingId": BOOKING}},
    {"id": "pi_1", "metadata": {"bookingId": "Rex's visit"}},
    {"id": "pi_1", "metadata": {"booking_id": 4711}},
    {"id": "pi_1", "metadata": {"booking_id": "x" * 300}},
    {"id": "pi_1", "metadata": {"booking_id": "line\nfeed"}},
    {"id": "pi_1", "metadata": {}},
    {"id": "ch_2", "metadata": None},
    {"metadata": {}},
    {},
]


@pytest.mark.parametrize("subject", SUBJECTS)
def test_swept_event_has_key_and_headers_of_its_delivery(subject: dict[str, Any]) -> None:
    item = event(data={"object": subject})
    swept = read(item)
    body = json.dumps(item).encode()
    document = read_document(body, (), forms=None)
    assert not isinstance(document, Refused)
    identity = identify(document, body, STRIPE_IDENTITY, "stripe", SignedFacts())
    assert isinstance(identity, EventIdentity)
    delivered = accepted_record(
        "stripe",
        identity,
        Verification.VERIFIED,
        body=body,
        media_type=document.media_type,
        received_at=NOW,
    )
    headers = headers_of(swept, traceparent="00-1-2-01")
    others = {"traceparent", "plumbline-origin"}
    assert swept.key.encode() == delivered.key
    assert {n: v for n, v in headers if n not in others} == {
        n: v for n, v in delivered.headers if n not in others
    }
    assert dict(headers)["plumbline-origin"] == b"sweep"
    assert read_metadata(headers).time == swept.created_at
    assert json.loads(swept.body) == item


@pytest.mark.parametrize(
    "members", [{"id": None}, {"id": "a\0b"}, {"created": "x"}, {"created": 10**20}, {"created": True}]
)
def test_event_without_usable_id_or_time_is_left_out(members: dict[str, Any]) -> None:
    assert read_event(event(**members)) is None


def test_no_request_names_more_types_than_stripe_takes() -> None:
    assert [name for group in GROUPS for name in group] == list(APPLIED_TYPES)
    assert max(len(group) for group in GROUPS) <= 20
