"""Conversion between rows of table `booking` and domain values."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import asyncpg

from booking.domain.booking import Booking
from booking.domain.details import BookingRecord, Client, Details, Pet, Visit
from booking.domain.funds import Funds
from booking.domain.statuses import Status
from chassis.postgres.stored_rows import read_row
from contracts.ids import BookingId
from contracts.money import Money


def to_booking(row: asyncpg.Record) -> Booking:
    """Return a booking as decisions need it.

    Raises:
        UnreadableRowError: the row is damaged.
    """
    return read_row(row, _booking, key="booking_id")


def _booking(row: asyncpg.Record) -> Booking:
    return Booking(
        id=BookingId(str(row["booking_id"])),
        status=Status(row["status"]),
        version=row["version"],
        transitions=row["transitions"],
        total=Money(row["total"], row["currency"]),
        funds=Funds(row["captured"], row["refunded"], row["is_disputed"]),
    )


def to_record(row: asyncpg.Record) -> BookingRecord:
    """Return a booking with all details."""
    pricing: Mapping[str, Any] | None = None if row["pricing"] is None else json.loads(row["pricing"])
    return BookingRecord(
        booking=_booking(row),
        details=_to_details(row),
        pricing=pricing,
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        confirmed_at=row["confirmed_at"],
    )


def _to_details(row: asyncpg.Record) -> Details:
    return Details(
        client=Client(row["client_name"], row["client_phone"], row["client_email"]),
        service=row["service"],
        starts_at=row["starts_at"],
        ends_at=row["ends_at"],
        pets=tuple(Pet(pet["name"], pet["species"]) for pet in json.loads(row["pets"])),
        visits=tuple(
            Visit(datetime.fromisoformat(visit["starts_at"]), datetime.fromisoformat(visit["ends_at"]))
            for visit in json.loads(row["visits"])
        ),
        notes=row["notes"],
        holiday=row["holiday"],
    )


def to_parameters(
    booking: Booking, details: Details, pricing: Mapping[str, Any] | None
) -> tuple[object, ...]:
    """Return the values of a new row, in the order of the statements that insert one."""
    return (
        booking.id,
        booking.status.value,
        booking.payment_status.value,
        booking.version,
        booking.transitions,
        booking.total.currency,
        booking.total.amount,
        None if pricing is None else json.dumps(pricing),
        *details_parameters(details),
    )


def details_parameters(details: Details) -> tuple[object, ...]:
    """Return the values of the columns of details, in the order of the statements that write them."""
    return (
        details.service,
        details.starts_at,
        details.ends_at,
        details.client.name,
        details.client.phone,
        details.client.email,
        json.dumps([{"name": pet.name, "species": pet.species} for pet in details.pets]),
        json.dumps(
            [{"starts_at": _utc(visit.starts_at), "ends_at": _utc(visit.ends_at)} for visit in details.visits]
        ),
        details.notes,
        details.holiday,
    )


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()
