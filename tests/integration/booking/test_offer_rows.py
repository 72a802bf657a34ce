"""Rows of offers and SMS: locks, rights of each role, and erasure (BK-9, ALL-8)."""

from collections.abc import AsyncGenerator
from typing import Any

import asyncpg
import httpx
import pytest

from booking.handlers.messages import apply
from chassis.messaging.message import KeysInUseError, Message
from chassis.postgres import Database
from contracts.stripe_events import StripeWorld
from harness import Infra, Stack, start_services
from integration.booking.booking_calls import BookingApi
from integration.booking.offer_calls import (
    SMS,
    booking_to_come,
    legacy_sms,
    make_offer,
    offers,
    quo_sms,
    send,
    sms_row,
)

_WORLD = StripeWorld(is_live=False, account=None)


@pytest.fixture(scope="module")
async def booking_stack(infra: Infra) -> AsyncGenerator[Stack]:
    async with start_services(infra, "booking") as stack:
        yield stack


@pytest.fixture
def api(booking_stack: Stack, http: httpx.AsyncClient) -> BookingApi:
    return BookingApi(booking_stack, http)


@pytest.fixture
async def database(booking_stack: Stack) -> AsyncGenerator[Database]:
    database = Database(booking_stack.database("booking").dsn("booking"), application_name="test")
    await database.start()
    yield database
    await database.stop()


def as_message(record: Any, offset: int = 0) -> Message:
    return Message(SMS, 0, offset, record.key, record.value, record.headers)


async def test_yes_waits_for_the_booking_that_another_session_changes(
    api: BookingApi, database: Database
) -> None:
    booking_id, other_id = await booking_to_come(api), await booking_to_come(api)
    offer, other = await make_offer(api, booking_id), await make_offer(api, other_id)
    blocked, free = quo_sms(offer["phone"], "yes"), quo_sms(other["phone"], "no thanks")
    async with api.stack.database("booking").connect() as session, session.transaction():
        await session.execute("SELECT FROM booking WHERE booking_id = $1 FOR UPDATE", booking_id)
        with pytest.raises(KeysInUseError) as raised:
            async with database.transaction() as connection:
                await apply(connection, [as_message(free), as_message(blocked, 1)], world=_WORLD)
        assert [message.offset for message in raised.value.messages] == [1]
        await api.stack.topic(SMS).publish_all([blocked])
        # Messages of other people flow meanwhile.
        assert (await send(api, free))[0]["outcome"] == "no_yes"
        assert (await offers(api, booking_id))[offer["id"]]["status"] == "open"
    assert (await sms_row(api, blocked))["outcome"] == "accepted"
    assert (await api.read(booking_id))["status"] == "confirmed"


async def test_two_yes_in_one_batch_have_one_winner(api: BookingApi, database: Database) -> None:
    booking_id = await booking_to_come(api)
    people = [await make_offer(api, booking_id, person_id=f"sitter-{n}") for n in range(2)]
    batch = [as_message(legacy_sms(person["phone"], "yes"), n) for n, person in enumerate(reversed(people))]
    async with database.transaction() as connection:
        assert await apply(connection, batch, world=_WORLD) == 2
    now = await offers(api, booking_id)
    assert [now[person["id"]]["status"] for person in people] == ["closed", "accepted"]
    assert [entry["changed_by"] for entry in await api.history(booking_id)][1:] == ["sms:sitter-1"]


async def test_erasure_empties_person_and_texts_and_leaves_what_happened(api: BookingApi) -> None:
    booking_id = await booking_to_come(api)
    offer = await make_offer(api, booking_id)
    (row,) = await send(api, quo_sms(offer["phone"], "yes"))
    async with api.stack.database("booking").connect() as session:
        await session.execute("SET ROLE booking_eraser")
        await session.execute("UPDATE offer SET name = '', phone = '' WHERE phone = $1", offer["phone"])
        await session.execute(
            "UPDATE sms_message SET sender = '', recipient = '', text = '' WHERE sender = $1", offer["phone"]
        )
        for forbidden in ("DELETE FROM offer", "UPDATE sms_message SET outcome = 'no_yes'"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await session.execute(forbidden)
    erased = (await offers(api, booking_id))[offer["id"]]
    assert (erased["name"], erased["phone"], erased["status"]) == ("", "", "accepted")
    sms = "SELECT sender, text, outcome FROM sms_message WHERE event_id = $1"
    record = await api.stack.database("booking").fetchrow(sms, row["event_id"])
    assert tuple(record or ()) == ("", "", "accepted")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE sms_message SET text = 'yes'",
        "DELETE FROM sms_message",
        "UPDATE offer SET person_id = 'another'",
        "UPDATE offer SET expires_at = now()",
        "DELETE FROM offer",
        "TRUNCATE offer, sms_message",
    ],
)
async def test_service_changes_no_fact_about_an_offer_or_an_sms(api: BookingApi, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await api.stack.database("booking").execute(statement, role="booking")
