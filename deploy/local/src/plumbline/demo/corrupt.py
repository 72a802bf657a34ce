"""Somebody changes stored prices behind the service's back, as the owner of the tables."""

from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from plumbline.demo.day import Fate
from plumbline.demo.play import PlayedBooking


@dataclass(frozen=True, slots=True)
class Corruption:
    """One way to falsify a price: what it is called, and the statement ($1 is the booking's id)."""

    name: str
    sql: str


CORRUPTIONS: tuple[Corruption, ...] = (
    Corruption(
        "12.00 added to the stored total",
        "UPDATE booking SET total = total + 1200 WHERE booking_id = $1",
    ),
    Corruption(
        "snapshot's total raised by 3.50",
        "UPDATE booking SET pricing = jsonb_set(pricing, '{total}', "
        "to_jsonb((pricing->>'total')::bigint + 350)) WHERE booking_id = $1",
    ),
    Corruption(
        "a line item lowered by 0.02",
        "UPDATE booking SET pricing = jsonb_set(pricing, '{line_items,0,amount}', "
        "to_jsonb((pricing->'line_items'->0->>'amount')::bigint - 2)) WHERE booking_id = $1",
    ),
)

HISTORY_CHANGE = "UPDATE status_transition SET changed_by = 'nobody' WHERE booking_id = $1"
"""What the append-only triggers must refuse, for the owner too."""


async def corrupt(admin_dsn: str, bookings: Sequence[PlayedBooking]) -> dict[str, Corruption]:
    """Falsify one paid booking per corruption. Returns booking id → what was done to it.

    Args:
        admin_dsn: of database `booking`, a role that may become its owner.
        bookings: of the day.
    """
    victims = [booking for booking in bookings if booking.plan.fate is Fate.PAID]
    done: dict[str, Corruption] = {}
    connection = await asyncpg.connect(admin_dsn, timeout=10)
    try:
        await connection.execute("SET ROLE booking_owner")
        for victim, corruption in zip(victims, CORRUPTIONS, strict=False):
            await connection.execute(corruption.sql, victim.booking_id)
            done[victim.booking_id] = corruption
    finally:
        await connection.close()
    return done


async def history_can_be_changed(admin_dsn: str, booking_id: str) -> bool:
    """Try, as the owner, to rewrite a booking's history. True would be the end of all trust."""
    connection = await asyncpg.connect(admin_dsn, timeout=10)
    try:
        await connection.execute("SET ROLE booking_owner")
        await connection.execute(HISTORY_CHANGE, booking_id)
    except asyncpg.InsufficientPrivilegeError:
        return False
    finally:
        await connection.close()
    return True
