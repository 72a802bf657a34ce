"""Hand-written SQL either writes a legal history or is refused, whoever writes it (BK-1, BK-4, BK-5)."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import asyncpg
import httpx
import pytest

from booking.domain.statuses import TRANSITIONS
from harness import Infra, Stack, start_services
from harness.databases import Connection
from integration.booking.booking_calls import BookingApi

WRITERS = ["service", "owner", "superuser", "replica"]

_SET = """
UPDATE booking SET status = $2, transitions = transitions + $3, version = version + $3 WHERE booking_id = $1
"""
_APPEND = """
INSERT INTO status_transition (booking_id, version, from_status, to_status, changed_by, metadata)
VALUES ($1, $2, $3, $4, 'by hand', '{}')
"""
_ONE_MORE = """
INSERT INTO booking (
    booking_id, status, payment_status, version, transitions, service, starts_at, ends_at, currency, total,
    client_name, client_phone, pets, visits
)
SELECT
    uuidv7(), 'pending', 'unpaid', 1, 1, service, starts_at, ends_at, currency, total,
    client_name, client_phone, pets, visits
FROM booking WHERE booking_id = $1
"""


@pytest.fixture(scope="module")
async def own(infra: Infra) -> AsyncGenerator[Stack]:
    async with start_services(infra, "booking") as stack:
        yield stack


@pytest.fixture
def api(own: Stack, http: httpx.AsyncClient) -> BookingApi:
    return BookingApi(own, http)


@asynccontextmanager
async def transaction_of(api: BookingApi, who: str) -> AsyncGenerator[Connection]:
    """Open a transaction as the service's role, the owner, the superuser, or as a replica would write."""
    async with api.stack.database("booking").connect("booking" if who == "service" else None) as connection:
        if who == "owner":
            await connection.execute("SET ROLE booking_owner")
        if who == "replica":
            await connection.execute("SET session_replication_role = replica")
        async with connection.transaction():
            yield connection


async def execute(
    api: BookingApi, who: str, booking_id: str, statements: Sequence[Sequence[str | int]]
) -> None:
    async with transaction_of(api, who) as connection:
        for statement, *values in statements:
            await connection.execute(str(statement), booking_id, *values)


async def test_database_has_the_same_table_of_transitions(api: BookingApi) -> None:
    rows = await api.stack.database("booking").fetch("SELECT from_status, to_status FROM status_rule")
    assert {tuple(row) for row in rows} == {
        (start.value, end.value) for start, ends in TRANSITIONS.items() for end in ends
    }


@pytest.mark.parametrize("who", WRITERS)
async def test_legal_step_with_its_history_is_accepted(api: BookingApi, who: str) -> None:
    booking = await api.create()
    async with transaction_of(api, who) as connection:
        await connection.execute(_APPEND, booking["id"], 2, "pending", "confirmed")
        await connection.execute(_SET, booking["id"], "confirmed", 1)
    assert [row["to_status"] for row in await api.history(booking["id"])] == ["pending", "confirmed"]


@pytest.mark.parametrize("who", WRITERS)
@pytest.mark.parametrize(
    ("statements", "complaint"),
    [
        ([(_SET, "confirmed", 1)], "it is confirmed with 2 transitions, but its history ends with pending"),
        ([(_SET, "confirmed", 0)], "it is confirmed with 1 transitions, but its history ends with pending"),
        ([(_APPEND, 2, "pending", "confirmed")], "its history ends with confirmed at version 2"),
        ([(_APPEND, 3, "pending", "confirmed")], "version 3 has no version 2 before it"),
        (
            [(_APPEND, 2, "confirmed", "completed")],
            "version 2 is from confirmed, but the booking was pending",
        ),
        ([(_APPEND, 2, "pending", "completed")], "pending cannot become completed"),
        (
            [(_APPEND, 2, "pending", "cancelled"), (_SET, "confirmed", 1)],
            "it is confirmed with 2 transitions, but its history ends with cancelled",
        ),
        ([(_ONE_MORE,)], "its history ends with nothing at version 0"),
    ],
    ids=["status", "status only", "history", "gap", "other start", "illegal", "disagree", "no history"],
)
async def test_anything_else_is_refused(
    api: BookingApi, who: str, statements: Sequence[Sequence[str | int]], complaint: str
) -> None:
    booking = await api.create()
    with pytest.raises(asyncpg.CheckViolationError, match=complaint):
        await execute(api, who, booking["id"], statements)
    assert (await api.read(booking["id"]))["status"] == "pending"
    assert len(await api.history(booking["id"])) == 1


@pytest.mark.parametrize("who", WRITERS)
async def test_bookings_cannot_be_removed(api: BookingApi, who: str) -> None:
    booking = await api.create()
    for statement in ("DELETE FROM booking", "TRUNCATE booking CASCADE"):
        async with transaction_of(api, who) as connection:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    assert (await api.read(booking["id"]))["version"] == 1


async def test_erasure_and_a_price_set_by_hand_are_not_in_the_way(api: BookingApi) -> None:
    booking = await api.create()
    async with transaction_of(api, "superuser") as connection:
        await connection.execute(
            "UPDATE booking SET total = total + 100 WHERE booking_id = $1", booking["id"]
        )
        await connection.execute("SET ROLE booking_eraser")
        await connection.execute("UPDATE booking SET client_name = '' WHERE booking_id = $1", booking["id"])
    assert (await api.read(booking["id"]))["total"]["amount"] == booking["total"]["amount"] + 100
