"""Request bodies: checked, cleaned and converted into the domain's values."""

import hashlib
import re
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, ConfigDict, Field, StrictBool

from booking.domain.details import Client, Details, Pet, Visit
from chassis.http.json_bodies import RequestBody
from contracts.text import sanitize_for_postgres
from contracts.times import read_time

NAME_CHARACTERS_MAX = 200
EMAIL_CHARACTERS_MAX = 254
NOTES_CHARACTERS_MAX = 4000
REASON_CHARACTERS_MAX = 1000
PHONE_CHARACTERS_MAX = 32
PETS_MAX = 50
VISITS_MAX = 366

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


class NewBooking(Body):
    """Body of `POST /api/bookings`."""

    client: NewClient
    service: Name
    starts_at: Moment
    ends_at: Moment
    pets: Annotated[list[NewPet], Field(min_length=1, max_length=PETS_MAX)]
    visits: Annotated[list[NewVisit], Field(max_length=VISITS_MAX)] = []  # noqa: RUF012 - pydantic copies it
    notes: Annotated[Text, Field(max_length=NOTES_CHARACTERS_MAX)] | None = None
    holiday: StrictBool | None = None

    def details(self) -> Details:
        """Return the request as domain values."""
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

    def sha256(self) -> bytes:
        """Return the digest by which the version before `idempotent_request` knew a request again."""
        return hashlib.sha256(self.model_dump_json().encode()).digest()


class BookingChange(Body):
    """Body of `PATCH /api/bookings/{id}`. The route checks the status and lists the known ones."""

    status: str | None = None
    reason: Annotated[Text, Field(max_length=REASON_CHARACTERS_MAX)] | None = None
