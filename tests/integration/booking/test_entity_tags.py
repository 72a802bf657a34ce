"""ETags of booking and the preconditions of its changes (BK-14, docs/conditional-requests.md)."""

import asyncio
from collections.abc import AsyncGenerator

import httpx
import pytest

from harness import Infra, Stack, start_services
from integration.booking.booking_calls import BookingApi, request
from integration.booking.test_api import problem


@pytest.fixture(scope="module")
async def booking_stack(infra: Infra) -> AsyncGenerator[Stack]:
    async with start_services(infra, "booking") as stack:
        yield stack


@pytest.fixture
def api(booking_stack: Stack, http: httpx.AsyncClient) -> BookingApi:
    return BookingApi(booking_stack, http)


async def tag(api: BookingApi, booking_id: str, path: str = "") -> str:
    return (await api.call("GET", f"/{booking_id}{path}")).headers["etag"]


async def test_answers_of_writes_have_the_tag_of_the_booking(api: BookingApi) -> None:
    made = await api.call("POST", body=request())
    booking_id = made.json()["id"]
    assert made.headers["etag"] == await tag(api, booking_id)
    changed = await api.change(booking_id, "confirmed", **{"If-Match": made.headers["etag"]})
    assert (changed.status_code, changed.headers["etag"]) == (200, await tag(api, booking_id))
    stale = await api.change(booking_id, "cancelled", **{"If-Match": made.headers["etag"]})
    assert problem(stale, 412, "stale-version")["version"] == 2


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ("UPDATE booking SET client_name = '' WHERE booking_id = $1", ""),
        ("UPDATE booking SET notes = 'corrupted' WHERE booking_id = $1", ""),
        ("UPDATE booking SET total = total + 1 WHERE booking_id = $1", ""),
        ("DELETE FROM transition_reason WHERE booking_id = $1", "/status-history"),
    ],
)
async def test_tag_changes_with_a_change_that_has_no_version(api: BookingApi, change: str, path: str) -> None:
    booking = await api.brought_to("confirmed")
    read = await tag(api, booking["id"])
    before = await tag(api, booking["id"], path)
    assert await tag(api, booking["id"], path) == before
    await api.stack.database("booking").execute(change, booking["id"])
    assert await tag(api, booking["id"], path) != before
    if not path:
        problem(await api.change(booking["id"], "cancelled", **{"If-Match": read}), 412, "stale-version")
        assert (await api.change(booking["id"], "cancelled", **{"If-Match": '"2"'})).status_code == 200


async def test_known_representation_is_not_sent_again(api: BookingApi) -> None:
    booking = await api.create()
    for path in ("", "/status-history", "/payments"):
        known = {"If-None-Match": await tag(api, booking["id"], path)}
        unchanged = await api.call("GET", f"/{booking['id']}{path}", headers=known)
        assert (unchanged.status_code, unchanged.content) == (304, b"")
    await api.change(booking["id"], "confirmed")
    assert (await api.call("GET", f"/{booking['id']}", headers=known)).status_code == 200


@pytest.mark.parametrize("whole", [True, False])
async def test_of_changes_based_on_one_state_exactly_one_wins(api: BookingApi, *, whole: bool) -> None:
    booking = await api.create()
    read = await tag(api, booking["id"]) if whole else '"1"'
    statuses = ["confirmed", "cancelled"] * 10
    answers = await asyncio.gather(
        *(api.change(booking["id"], status, **{"If-Match": read}) for status in statuses)
    )
    assert sorted(answer.status_code for answer in answers) == [200, *[412] * 19]


async def test_change_without_if_match_is_refused_where_the_policy_wants_it(
    booking_stack: Stack, http: httpx.AsyncClient
) -> None:
    api = BookingApi(booking_stack, http)
    booking = await api.create()
    strict = await booking_stack.start("booking", env={"REQUIRE_IF_MATCH": "true"})
    body = {"status": "cancelled", "reason": "asked to"}
    missing = await api.call("PATCH", f"/{booking['id']}", body, url=strict.url)
    problem(missing, 428, "precondition-required")
    given = {"If-Match": await tag(api, booking["id"])}
    changed = await api.call("PATCH", f"/{booking['id']}", body, url=strict.url, headers=given)
    assert changed.status_code == 200
    await strict.stop()
