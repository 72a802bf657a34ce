"""Many bookings in booking's tables, priced by the real engine, and damage to them with SQL."""

import json
import random
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from chassis.clock import new_id
from faults.corruptions import Card, Kind
from harness.databases import Connection, TestDatabase
from pricing import PriceRequest, Snapshot, rate_card, snapshot, to_json_object

_TABLES = ("booking.booking", "booking.status_transition", "booking.payment")
_ROWS_PER_STATEMENT = 10_000
_START = datetime(2026, 11, 10, 15, 0, tzinfo=UTC)

_BOOKINGS = """
INSERT INTO booking.booking (
    booking_id, status, payment_status, version, transitions, service, starts_at, ends_at, currency, total,
    captured, pricing, client_name, client_phone, pets, visits, request_sha256, created_at, confirmed_at
)
SELECT
    id, 'confirmed', 'paid', 3, 2, 'drop-in', now(), now() + interval '1 hour', 'USD', price.total,
    price.total, price.pricing, 'A', '+13125550100', '[]', '[]', '', now() - interval '2 days',
    now() - interval '2 days'
FROM unnest($1::uuid[], $2::integer[]) AS made (id, number)
JOIN unnest($3::jsonb[], $4::bigint[]) WITH ORDINALITY AS price (pricing, total, number) USING (number)
"""
_HISTORY = """
INSERT INTO booking.status_transition (booking_id, version, from_status, to_status, changed_by, metadata)
SELECT id, step.version, step.before, step.after, 'stripe', '{}'
FROM unnest($1::uuid[]) AS id
CROSS JOIN (VALUES (1, NULL, 'pending'), (2, 'pending', 'confirmed')) AS step (version, before, after)
"""
_PAYMENTS = """
INSERT INTO booking.payment (
    booking_id, provider, provider_payment_id, event_id, captured, currency, updated_at
)
SELECT
    booking_id, 'stripe', 'pi_' || booking_id, 'evt_' || booking_id, total, 'USD', now() - interval '2 days'
FROM booking.booking WHERE booking_id = ANY($1::uuid[])
"""
_DAMAGE = """
CREATE TEMP TABLE damage AS
SELECT id, d::integer FROM unnest($1::uuid[], $2::bigint[]) AS drawn (id, d)
"""


@dataclass(frozen=True, slots=True)
class Population:
    """Ids of the bookings of each rate card that corruptions use, and the number of all bookings."""

    ids: dict[Card, list[str]]
    bookings: int


def _prices() -> list[tuple[Card | None, Snapshot]]:
    """Return the prices of the population; those with a card are the ones that corruptions use."""
    slots = ((0, 30), (120, 60), (300, 30))
    visits = tuple(
        (_START + timedelta(minutes=at), _START + timedelta(minutes=at + long)) for at, long in slots
    )

    def priced(card: str, service: str, pets: int, nights: int, *, holiday: bool | None = None) -> Snapshot:
        request = PriceRequest(
            service=service,
            pets=pets,
            holiday=holiday,
            visits=() if nights else visits,
            starts_at=_START,
            ends_at=_START + timedelta(days=nights) if nights else visits[-1][1],
        )
        return snapshot(request, rate_card(card, "2025-01"))

    others = [
        priced(card, service, pets, nights)
        for card, service, nights in (
            ("default", "dog-walking", 0),
            ("default", "pet-taxi", 0),
            ("default", "housesitting", 3),
            ("default", "24-7-care", 5),
            ("example", "housesitting", 2),
        )
        for pets in (1, 2, 4)
    ]
    return [
        ("default", priced("default", "drop-in", 3, 0, holiday=True)),
        ("example", priced("example", "drop-in", 2, 0, holiday=True)),
        *((None, other) for other in others),
    ]


async def populate(database: TestDatabase, count: int, *, of_each_card: int) -> Population:
    """Insert paid bookings that are clean, at least `of_each_card` of each card that corruptions use."""
    prices = _prices()
    pricing = [json.dumps(to_json_object(price)) for _, price in prices]
    totals = [price.total for _, price in prices]
    ids: dict[Card, list[str]] = {"default": [], "example": []}
    numbers = [0] * of_each_card + [1] * of_each_card
    numbers += [number % len(prices) for number in range(count - len(numbers))]
    async with database.without_triggers(*_TABLES) as connection:
        for begin in range(0, count, _ROWS_PER_STATEMENT):
            part = numbers[begin : begin + _ROWS_PER_STATEMENT]
            made = [new_id() for _ in part]
            await connection.execute(_BOOKINGS, made, [number + 1 for number in part], pricing, totals)
            await connection.execute(_HISTORY, made)
            await connection.execute(_PAYMENTS, made)
            for booking_id, number in zip(made, part, strict=True):
                card = prices[number][0]
                if card is not None and len(ids[card]) < of_each_card:
                    ids[card].append(booking_id)
    await database.execute("ANALYZE booking.booking, booking.payment, booking.status_transition")
    return Population(ids, count)


@asynccontextmanager
async def as_owner(database: TestDatabase) -> AsyncGenerator[Connection]:
    """Open a transaction in which nothing is in the way of whoever owns booking's tables."""
    async with database.without_triggers(*_TABLES) as connection:
        await connection.execute("SET LOCAL search_path = booking, pg_temp")
        yield connection


async def damage(connection: Connection, kind: Kind, ids: Sequence[str], differences: Sequence[int]) -> None:
    """Corrupt bookings by one kind, each by its difference."""
    await connection.execute(_DAMAGE, ids, differences)
    for change in kind.changes:
        await _change(connection, change)
    await connection.execute("DROP TABLE damage")


async def _change(connection: Connection, change: str) -> None:
    is_statement = change.lstrip().startswith(("UPDATE", "INSERT", "DELETE"))
    statement = change if is_statement else f"UPDATE booking SET {change} FROM damage WHERE booking_id = id"
    await connection.execute(statement)


def draw_differences(rng: random.Random, kind: Kind, count: int) -> list[int]:
    """Return differences in cents, a third of each severity; the first one is the smallest that counts."""
    bands = ((2, 100), (101, 1000), (1001, 1900))
    drawn = [2, *(rng.randint(*bands[number % 3]) for number in range(1, count))]
    return [difference * (kind.sign or rng.choice((-1, 1))) for difference in drawn]
