"""Files of an import: one JSON object a line, read as a stream (docs/import.md)."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, BinaryIO

import msgspec
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    ValidationError,
)

from booking.domain.booking import parse_booking_id
from booking.domain.details import Client, Details, Pet, Visit
from booking.domain.imports import (
    ImportedBooking,
    ImportRefusedError,
    PastPayment,
    PastRefund,
    PastStep,
    check_past,
)
from booking.domain.statuses import Status
from chassis import clock
from chassis.process.wording import explain
from contracts.currencies import MINOR_DIGITS
from contracts.ids import BookingId, has_id_form
from contracts.money import Money
from contracts.text import sanitize_for_postgres
from contracts.times import read_time
from pricing import PricingError, parse_snapshot, to_json_object

LINE_BYTES_MAX = 1024 * 1024
AMOUNT_MAX = 10**15
STEPS_MAX = 1000
PAYMENTS_MAX = 1000

_PHONE = re.compile(r"\+?[0-9 ().\-/]{7,32}")


def _id(text: str) -> str:
    # The id is kept for ever.
    if not has_id_form(text):
        raise ValueError("expected an id of letters, digits, '-', '_', '.' or ':', without personal data")
    return text


def _uuid(text: str) -> str:
    if (parsed := parse_booking_id(text)) is None:
        raise ValueError("expected a UUID")
    return parsed


def _phone(text: str) -> str:
    if not _PHONE.fullmatch(text):
        raise ValueError("expected 7 to 15 digits, such as +1 312 555 0100")
    return text


def _currency(text: str) -> str:
    if text not in MINOR_DIGITS:
        raise ValueError("expected a currency of ISO 4217, such as USD")
    return text


Text = Annotated[str, AfterValidator(sanitize_for_postgres), Field(max_length=4000)]
Name = Annotated[str, AfterValidator(sanitize_for_postgres), Field(min_length=1, max_length=200)]
Id = Annotated[str, AfterValidator(_id), Field(min_length=1, max_length=200)]
Moment = Annotated[AwareDatetime, BeforeValidator(read_time)]
Amount = Annotated[StrictInt, Field(ge=0, le=AMOUNT_MAX)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class _Money(_Part):
    amount: Amount
    currency: Annotated[str, AfterValidator(_currency)]

    def money(self) -> Money:
        return Money(self.amount, self.currency)


class _Client(_Part):
    name: Name
    phone: Annotated[str, AfterValidator(_phone)]
    email: Name | None = None


class _Pet(_Part):
    name: Name
    species: Name


class _Visit(_Part):
    starts_at: Moment
    ends_at: Moment


class _Step(_Part):
    to_status: Status
    at: Moment
    by: Id
    reason: Text | None = None


class _Refund(_Part):
    id: Id
    amount: Amount
    at: Moment


class _Payment(_Part):
    provider: Id
    provider_payment_id: Id
    captured: _Money
    at: Moment
    refunds: Annotated[tuple[_Refund, ...], Field(max_length=PAYMENTS_MAX)] = ()


class _Line(_Part):
    external_id: Id
    id: Annotated[str, AfterValidator(_uuid)] | None = None
    client: _Client
    service: Name
    starts_at: Moment
    ends_at: Moment
    pets: Annotated[tuple[_Pet, ...], Field(max_length=50)] = ()
    visits: Annotated[tuple[_Visit, ...], Field(max_length=366)] = ()
    notes: Text | None = None
    holiday: StrictBool | None = None
    total: _Money
    pricing: dict[str, Any] | None = None
    history: Annotated[tuple[_Step, ...], Field(min_length=1, max_length=STEPS_MAX)]
    payments: Annotated[tuple[_Payment, ...], Field(max_length=PAYMENTS_MAX)] = ()

    def details(self) -> Details:
        return Details(
            client=Client(self.client.name, self.client.phone, self.client.email),
            service=self.service,
            starts_at=self.starts_at,
            ends_at=self.ends_at,
            pets=tuple(Pet(pet.name, pet.species) for pet in self.pets),
            visits=tuple(Visit(visit.starts_at, visit.ends_at) for visit in self.visits),
            notes=self.notes,
            holiday=self.holiday,
        )


@dataclass(frozen=True, slots=True)
class FileLine:
    """A line of a file: its number, and its text; None for a line that is too long."""

    number: int
    text: bytes | None


def read_lines(file: BinaryIO) -> Iterator[FileLine]:
    """Yield the lines that are not empty. A line beyond `LINE_BYTES_MAX` is passed over in pieces."""
    number = 0
    while line := file.readline(LINE_BYTES_MAX + 1):
        number += 1
        if len(line) > LINE_BYTES_MAX and not line.endswith(b"\n"):
            while line and not line.endswith(b"\n"):
                line = file.readline(LINE_BYTES_MAX)
            yield FileLine(number, None)
        elif line.strip():
            yield FileLine(number, line)


def parse_line(line: FileLine) -> ImportedBooking:
    """Return the booking of a line.

    Raises:
        ImportRefusedError: the line cannot be imported; the message names the field.
    """
    if line.text is None:
        raise ImportRefusedError(f"line: longer than {LINE_BYTES_MAX} bytes")
    if b"\\u0000" in line.text:
        raise ImportRefusedError("line: the character U+0000 cannot be stored; leave it out")
    try:
        read = _Line.model_validate(msgspec.json.decode(line.text))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "line"
        raise ImportRefusedError(f"{field}: {explain(first)}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ImportRefusedError(f"line: no JSON object in UTF-8: {error}") from None
    if read.ends_at <= read.starts_at:
        raise ImportRefusedError("ends_at: not after starts_at")
    history = tuple(
        PastStep(to=step.to_status, at=step.at, by=step.by, reason=step.reason) for step in read.history
    )
    payments = tuple(_payment(payment) for payment in read.payments)
    check_past(history, payments, clock.now())
    pricing = _read_pricing(read)
    return ImportedBooking(
        id=BookingId(read.id or clock.new_id()),
        external_id=read.external_id,
        details=read.details(),
        total=read.total.money(),
        pricing=pricing,
        history=history,
        payments=payments,
    )


def _payment(payment: _Payment) -> PastPayment:
    return PastPayment(
        provider=payment.provider,
        id=payment.provider_payment_id,
        captured=payment.captured.money(),
        at=payment.at,
        refunds=tuple(
            PastRefund(id=refund.id, amount=refund.amount, at=refund.at) for refund in payment.refunds
        ),
    )


def _read_pricing(line: _Line) -> dict[str, Any] | None:
    if line.pricing is None:
        return None
    try:
        stored = parse_snapshot(line.pricing)
        pricing = dict(to_json_object(stored))
        json.dumps(pricing, ensure_ascii=False).encode()
    except (PricingError, UnicodeEncodeError) as error:
        raise ImportRefusedError(f"pricing: {error}") from None
    if (stored.total, stored.currency) != (line.total.amount, line.total.currency):
        raise ImportRefusedError("pricing: its total or currency is not that of the booking")
    return pricing
