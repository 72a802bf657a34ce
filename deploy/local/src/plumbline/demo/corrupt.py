"""Falsify stored prices with SQL, as the owner of the tables and without the service."""

from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from plumbline.demo.day import Fate
from plumbline.demo.play import PlayedBooking


@dataclass(frozen=True, slots=True)
class Corruption:
    """A way to falsify a price: its name in the table, its statement and the one that mends it.

    $1 is the booking's id.
    """

    name: str
    sql: str
    mend_sql: str = ""


CORRUPTIONS: tuple[Corruption, ...] = (
    Corruption(
        "12.00 added to the stored total",
        "UPDATE booking SET total = total + 1200 WHERE booking_id = $1",
        mend_sql="UPDATE booking SET total = total - 1200 WHERE booking_id = $1",
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
"""A statement that the append-only triggers must refuse, for the owner too."""


async def corrupt(admin_dsn: str, bookings: Sequence[PlayedBooking]) -> dict[str, Corruption]:
    """Falsify one paid booking per corruption. Return booking id → corruption.

    Args:
        admin_dsn: connects to database `booking`, as a role that may become its owner.
        bookings: all bookings of the day.
    """
    victims = [booking for booking in bookings if booking.plan.fate is Fate.PAID]
    corrupted: dict[str, Corruption] = {}
    connection = await asyncpg.connect(admin_dsn, timeout=10)
    try:
        await connection.execute("SET ROLE booking_owner")
        for victim, corruption in zip(victims, CORRUPTIONS, strict=False):
            await connection.execute(corruption.sql, victim.booking_id)
            corrupted[victim.booking_id] = corruption
    finally:
        await connection.close()
    return corrupted


async def mend(admin_dsn: str, booking_id: str, corruption: Corruption) -> None:
    """Put a falsified price right, as the owner."""
    connection = await asyncpg.connect(admin_dsn, timeout=10)
    try:
        await connection.execute("SET ROLE booking_owner")
        await connection.execute(corruption.mend_sql, booking_id)
    finally:
        await connection.close()


async def history_can_be_changed(admin_dsn: str, booking_id: str) -> bool:
    """Try to rewrite a booking's history as the owner. Return True if this succeeded, which is a defect."""
    connection = await asyncpg.connect(admin_dsn, timeout=10)
    try:
        await connection.execute("SET ROLE booking_owner")
        await connection.execute(HISTORY_CHANGE, booking_id)
    except asyncpg.InsufficientPrivilegeError:
        return False
    finally:
        await connection.close()
    return True
