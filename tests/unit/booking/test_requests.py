"""Requests: bodies, If-Match and Idempotency-Key."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from booking.api.requests import NewBooking
from booking.domain.booking import parse_booking_id
from booking.domain.details import price_warnings, quote
from chassis import clock


def body(**members: Any) -> dict[str, Any]:
    return {
        "client": {"name": "Ada", "phone": "+1 (312) 555-0100"},
        "service": "drop-in",
        "starts_at": "2026-11-24T15:00:00Z",
        "ends_at": "2026-11-24T15:30:00Z",
        "pets": [{"name": "Rex", "species": "dog"}],
        **members,
    }


def test_body_becomes_details_and_a_price() -> None:
    details = NewBooking.model_validate(body()).details("US")
    assert details.client.phone == "+13125550100"
    assert details.starts_at == datetime(2026, 11, 24, 15, tzinfo=UTC)
    assert quote(details, time_zone="America/Chicago", at=details.starts_at).total == 2000


def test_booking_whose_pets_were_erased_still_has_its_warnings() -> None:
    details = replace(NewBooking.model_validate(body()).details("US"), pets=())
    later = details.starts_at + timedelta(days=1)
    found = price_warnings(details, time_zone="America/Chicago", at=later)
    assert [warning.code for warning in found] == ["starts_in_past"]


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"client": {"name": "", "phone": "5550100"}}, ("client", "name")),
        ({"client": {"name": "Ada", "phone": "call me"}}, ("client", "phone")),
        ({"client": {"name": "Ada", "phone": "555010"}}, ("client", "phone")),
        ({"client": {"name": "Ada", "phone": "5550100", "email": "ada"}}, ("client", "email")),
        ({"starts_at": "2026-11-24T15:00:00"}, ("starts_at",)),
        ({"starts_at": 1700000000}, ("starts_at",)),
        ({"ends_at": "tomorrow"}, ("ends_at",)),
        ({"pets": []}, ("pets",)),
        ({"pets": [{"name": "Rex"}]}, ("pets", 0, "species")),
        ({"visits": [{"starts_at": "2026-11-24T15:00:00Z"}]}, ("visits", 0, "ends_at")),
        ({"holiday": "yes"}, ("holiday",)),
        ({"holyday": True}, ("holyday",)),
    ],
    ids=str,
)
def test_wrong_field_is_named(members: dict[str, Any], field: tuple[str | int, ...]) -> None:
    with pytest.raises(ValidationError) as refused:
        NewBooking.model_validate(body(**members))
    assert field in [error["loc"][: len(field)] for error in refused.value.errors()]


def test_digest_sees_meaning_and_not_spelling() -> None:
    first = NewBooking.model_validate(body())
    assert first.sha256() == NewBooking.model_validate(dict(reversed(body(notes=None).items()))).sha256()
    assert first.sha256() != NewBooking.model_validate(body(notes="ring twice")).sha256()


def test_booking_id_is_canonical_or_none() -> None:
    new = clock.new_id()
    assert parse_booking_id(new.upper()) == new
    for other in ("", "17", f"{{{new}}}", f"urn:uuid:{new}", new.replace("-", ""), f"{new} ", "é" * 36):
        assert parse_booking_id(other) is None
