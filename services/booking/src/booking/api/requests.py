"""Request bodies: checked, cleaned and converted into the domain's values."""

import hashlib
import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    model_validator,
)

from booking.adapters.phone_numbers import to_e164
from booking.domain.details import Client, Details, Pet, Visit
from chassis.http.json_bodies import RequestBody
from chassis.http.problems import InvalidRequestError
from contracts.money import Money
from contracts.text import sanitize_for_postgres
from contracts.times import read_time

NAME_CHARACTERS_MAX = 200
EMAIL_CHARACTERS_MAX = 254
NOTES_CHARACTERS_MAX = 4000
REASON_CHARACTERS_MAX = 1000
PHONE_CHARACTERS_MAX = 32
PETS_MAX = 50
VISITS_MAX = 366
REFERENCE_CHARACTERS_MAX = 255
# Far below 2^53, up to which every JSON reader keeps integers exactly (RFC 8259 §6).
AMOUNT_MINOR_UNITS_MAX = 10**12

_PHONE_SEPARATORS = re.compile(r"[ ().\-/]")
_PHONE = re.compile(r"\+?[0-9]{7,15}")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")


def _phone(text: str) -> str:
    # No country is guessed for a number without "+".
    number = _PHONE_SEPARATORS.sub("", text)
    if not _PHONE.fullmatch(number):
        raise ValueError("expected 7 to 15 digits, such as +1 312 555 0100")
    return number


def _email(text: str) -> str:
    if not _EMAIL.fullmatch(text):
        raise ValueError("expected an address such as name@example.com")
    return text


def _checked_time(value: object) -> object:
    # Unchanged: the digest of a request includes the offset that the caller wrote.
    read_time(value)
    return value


Text = Annotated[str, AfterValidator(sanitize_for_postgres)]
Name = Annotated[Text, Field(min_length=1, max_length=NAME_CHARACTERS_MAX)]
Reason = Annotated[Text, Field(min_length=1, max_length=REASON_CHARACTERS_MAX)]
Moment = Annotated[AwareDatetime, BeforeValidator(_checked_time)]


class Body(RequestBody):
    """Base of booking's bodies. White space around texts is dropped."""

    model_config = ConfigDict(str_strip_whitespace=True)


class NewClient(Body):
    """The client of the booking."""

    name: Name
    phone: Annotated[str, Field(max_length=PHONE_CHARACTERS_MAX), AfterValidator(_phone)]
    email: Annotated[Text, Field(max_length=EMAIL_CHARACTERS_MAX), AfterValidator(_email)] | None = None


class NewPet(Body):
    """An animal to be looked after."""

    name: Name
    species: Name


class NewVisit(Body):
    """One appointment."""

    starts_at: Moment
    ends_at: Moment


def _client(client: NewClient, country: str) -> Client:
    phone = to_e164(client.phone, country)
    if phone is None:
        raise InvalidRequestError(
            "client.phone", f"no number of {country}; write another country's number with + and its code"
        )
    return Client(client.name, phone, client.email)


def _pets(pets: Sequence[NewPet]) -> tuple[Pet, ...]:
    return tuple(Pet(pet.name, pet.species) for pet in pets)


def _visits(visits: Sequence[NewVisit]) -> tuple[Visit, ...]:
    return tuple(Visit(visit.starts_at, visit.ends_at) for visit in visits)


def _unchanged(value: Any) -> Any:
    return value


class NewBooking(Body):
    """Body of `POST /api/bookings`."""

    EXAMPLE: ClassVar = {
        "client": {"name": "Ana Example", "phone": "+13125550100"},
        "service": "drop-in",
        "starts_at": "2026-12-01T15:00:00Z",
        "ends_at": "2026-12-01T15:30:00Z",
        "pets": [{"name": "Rex", "species": "dog"}],
        "visits": [{"starts_at": "2026-12-01T15:00:00Z", "ends_at": "2026-12-01T15:30:00Z"}],
    }

    client: NewClient
    service: Name
    starts_at: Moment
    ends_at: Moment
    pets: Annotated[list[NewPet], Field(min_length=1, max_length=PETS_MAX)]
    visits: Annotated[list[NewVisit], Field(max_length=VISITS_MAX)] = []  # noqa: RUF012 - pydantic copies it
    notes: Annotated[Text, Field(max_length=NOTES_CHARACTERS_MAX)] | None = None
    holiday: StrictBool | None = None

    def details(self, country: str) -> Details:
        """Return the request as domain values.

        Args:
            country: whose numbering plan reads a phone number without a country's code.
        """
        return Details(
            client=_client(self.client, country),
            service=self.service,
            starts_at=self.starts_at,
            ends_at=self.ends_at,
            pets=_pets(self.pets),
            visits=_visits(self.visits),
            notes=self.notes,
            holiday=self.holiday,
        )

    def sha256(self) -> bytes:
        """Return the digest by which the version before `idempotent_request` knew a request again."""
        return hashlib.sha256(self.model_dump_json().encode()).digest()


class _DetailsChange(Body):
    """Details that a request changes: those that its body has. The others stay."""

    starts_at: Moment | None = None
    ends_at: Moment | None = None
    pets: Annotated[list[NewPet], Field(min_length=1, max_length=PETS_MAX)] | None = None
    visits: Annotated[list[NewVisit], Field(max_length=VISITS_MAX)] | None = None
    holiday: StrictBool | None = None

    @model_validator(mode="after")
    def _refuse_null(self) -> Self:
        nulls = [name for name in self.model_fields_set - _NULLABLE if getattr(self, name) is None]
        if nulls:
            raise ValueError(f"{', '.join(sorted(nulls))}: null is no value; leave the member out")
        return self

    def changed_details(self, country: str) -> dict[str, Any]:
        """Return the new details by name, as domain values.

        Args:
            country: whose numbering plan reads a phone number without a country's code.
        """
        convert: dict[str, Callable[[Any], Any]] = {
            "client": lambda client: _client(client, country),
            "pets": _pets,
            "visits": _visits,
        }
        names = self.model_fields_set & _DETAILS
        return {name: convert.get(name, _unchanged)(getattr(self, name)) for name in names}


_DETAILS = {"client", "service", "starts_at", "ends_at", "pets", "visits", "notes", "holiday"}
# Without notes; whether it is a holiday is for the calendar to say.
_NULLABLE = {"notes", "holiday"}


class BookingChange(_DetailsChange):
    """Body of `PATCH /api/bookings/{id}`. The route checks the status and lists the known ones.

    `null` empties `notes` and gives `holiday` back to the calendar.
    """

    EXAMPLE: ClassVar = {"status": "confirmed", "reason": "agreed by telephone"}

    status: Annotated[str, Field(min_length=1)] | None = None
    reason: Annotated[Text, Field(max_length=REASON_CHARACTERS_MAX)] | None = None
    client: NewClient | None = None
    notes: Annotated[Text, Field(max_length=NOTES_CHARACTERS_MAX)] | None = None


class NewMoney(Body):
    """An amount in minor units of a currency."""

    amount: Annotated[StrictInt, Field(ge=0, le=AMOUNT_MINOR_UNITS_MAX)]
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]

    def money(self) -> Money:
        return Money(self.amount, self.currency)


class Repricing(_DetailsChange):
    """Body of `POST /api/bookings/{id}/reprice`: with `total` an override, without it a new computation."""

    EXAMPLE: ClassVar = {"reason": "regular client", "total": {"amount": 2000, "currency": "USD"}}

    reason: Reason
    total: NewMoney | None = None
    service: Name | None = None

    @model_validator(mode="after")
    def _refuse_total_with_details(self) -> Self:
        if self.total is not None and self.model_fields_set & _DETAILS:
            raise ValueError("total: an override keeps the details; send either a total or details")
        return self


class NewEntry(Body):
    """Body of `POST /api/bookings/{id}/payments`: money that did not come by Stripe (BK-16).

    `reverses` is the id of an entry that this one undoes; its amount is then the one undone.
    """

    EXAMPLE: ClassVar = {
        "amount": {"amount": 2000, "currency": "USD"},
        "method": "cash",
        "reason": "paid at the door",
    }

    amount: NewMoney | None = None
    method: Literal["cash", "transfer", "cheque", "other"] | None = None
    received_at: Moment | None = None
    reason: Reason
    reverses: Annotated[str, Field(min_length=1, max_length=REFERENCE_CHARACTERS_MAX)] | None = None

    @model_validator(mode="after")
    def _require_amount_or_reversal(self) -> Self:
        if self.reverses is not None:
            given = {"amount", "method", "received_at"} & self.model_fields_set
            if given:
                raise ValueError(f"{', '.join(sorted(given))}: leave it out, the whole entry is reversed")
        elif self.amount is None or self.method is None:
            raise ValueError("amount and method are needed, or reverses")
        elif self.amount.amount == 0:
            raise ValueError("amount: expected more than 0")
        return self
