"""Routes of `/api/bookings/{booking_id}/offers` (BK-9)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, ClassVar, TypedDict

from litestar import Response, Router, get, post
from litestar.datastructures import ResponseHeader
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.types import ControllerRouterHandler
from pydantic import AfterValidator, Field

from booking.adapters.offers import OfferRecord
from booking.adapters.phone_numbers import to_e164
from booking.api.bookings import PATH, operator
from booking.api.filters import Limit, parse_cursor, parse_id
from booking.api.problems import OFFER_EXCEPTION_HANDLERS, unknown_booking, unknown_offer
from booking.api.requests import PHONE_CHARACTERS_MAX, Body, Moment, Name
from booking.domain.offers import ClosedReason, OfferStatus
from booking.handlers import offers as handlers
from booking.handlers.offers import OfferRequest
from chassis import clock
from chassis.http.idempotency import Idempotency
from chassis.http.openapi.problems import STORED_ROW, refuses
from chassis.http.page_sizes import PAGE_ROWS_DEFAULT
from chassis.http.paging import page
from chassis.http.problems import InvalidRequestError
from chassis.postgres import Connection, Database
from chassis.postgres.stored_rows import UnreadableItem, UnreadableRow, show_rows
from contracts.ids import has_id_form

PERSON_ID_CHARACTERS_MAX = 200
LOCATION = ResponseHeader("Location", documentation_only=True, required=True)


def _person_id(text: str) -> str:
    # The id stands in the status history, which keeps no personal data.
    if not has_id_form(text):
        raise ValueError("expected an id such as sitter-7: letters, digits and . _ : / | -, no phone number")
    return text


class NewOffer(Body):
    """Body of `POST /api/bookings/{id}/offers`. `expires_at`: 24 hours from now if it is left out."""

    EXAMPLE: ClassVar = {"person_id": "sitter-7", "name": "Kim Example", "phone": "+13125550101"}

    person_id: Annotated[
        str, Field(min_length=1, max_length=PERSON_ID_CHARACTERS_MAX), AfterValidator(_person_id)
    ]
    name: Name
    phone: Annotated[str, Field(max_length=PHONE_CHARACTERS_MAX)]
    expires_at: Moment | None = None

    def request(self, country: str) -> OfferRequest:
        """Return the request, with the phone in E.164.

        Args:
            country: whose numbering plan reads a number without a country's code.

        Raises:
            InvalidRequestError: the phone is no usable number, or `expires_at` is past.
        """
        phone = to_e164(self.phone, country)
        if phone is None:
            raise InvalidRequestError("phone", "expected a phone number such as +1 312 555 0100")
        if self.expires_at is not None and self.expires_at <= clock.now():
            raise InvalidRequestError("expires_at", "expected a time in the future")
        return OfferRequest(person_id=self.person_id, name=self.name, phone=phone, expires_at=self.expires_at)


class Withdrawal(Body):
    """Body of a withdrawal: an empty object, or no body."""


class OfferAnswer(TypedDict):
    """An offer. `decided_at`: when it was accepted or closed; null while it is open."""

    id: str
    booking_id: str
    status: OfferStatus
    closed_reason: ClosedReason | None
    person_id: str
    name: str
    phone: str
    created_at: datetime
    expires_at: datetime
    decided_at: datetime | None


class OfferPage(TypedDict):
    """Offers, newest first."""

    items: list[OfferAnswer | UnreadableItem]
    next_cursor: str | None


@post(
    "/{booking_id:str}/offers",
    summary="Offer a booking to a person, who accepts by SMS",
    response_headers=[LOCATION],
    opt=refuses({404: ["unknown-booking"], 409: ["booking-closed", "offer-exists"], **STORED_ROW}),
)
async def offer(
    booking_id: FromPath[str],
    data: JSONBody[NewOffer],
    database: NamedDependency[Database],
    business_country: NamedDependency[str],
    actor: NamedDependency[str],
    idempotency: NamedDependency[Idempotency],
) -> Response[OfferAnswer]:
    """Make an offer. The first person who answers yes gets the booking, which is then confirmed."""
    parsed, request = parse_id(booking_id), data.request(business_country)

    async def effect(connection: Connection) -> Response[OfferAnswer]:
        made = await handlers.create_offer(connection, parsed, request, by=operator(actor))
        if made is None:
            raise unknown_booking(booking_id)
        location = f"{PATH}/{parsed}/offers/{made.id}"
        return Response(_answer(made), status_code=201, headers={"Location": location})

    return await idempotency.run(database, effect)


@get(
    "/{booking_id:str}/offers",
    summary="A booking's offers, newest first",
    opt=refuses({404: ["unknown-booking"]}),
)
async def list_offers(
    booking_id: FromPath[str],
    database: NamedDependency[Database],
    limit: Limit = PAGE_ROWS_DEFAULT,
    cursor: FromQuery[str | None] = None,
) -> OfferPage:
    """Return one page; `next_cursor` leads to the next."""
    query = (PATH, "offers", parse_id(booking_id))
    rows = await handlers.list_offers(
        database, parse_id(booking_id), before=parse_cursor(cursor, query), rows_max=limit + 1
    )
    if rows is None:
        raise unknown_booking(booking_id)
    shown = page(rows, limit=limit, key=lambda row: [row.id], of=query)
    items = show_rows(shown["items"], _answer, OfferAnswer, key=_key)
    return {"items": items, "next_cursor": shown["next_cursor"]}


@post(
    "/{booking_id:str}/offers/{offer_id:str}/withdraw",
    summary="Withdraw an offer",
    status_code=200,
    opt=refuses({404: ["unknown-booking", "unknown-offer"], 409: ["offer-closed"], **STORED_ROW}),
)
async def withdraw(
    booking_id: FromPath[str],
    offer_id: FromPath[str],
    database: NamedDependency[Database],
    actor: NamedDependency[str],
    idempotency: NamedDependency[Idempotency],
    data: JSONBody[Withdrawal | None] = None,  # noqa: ARG001 - checked: an unknown member is refused
) -> Response[OfferAnswer]:
    """Close an open or accepted offer. The booking's status stays; a withdrawn offer stays withdrawn."""
    parsed = parse_id(booking_id)

    async def effect(connection: Connection) -> Response[OfferAnswer]:
        closed = await handlers.close_offer(connection, parsed, offer_id.lower(), by=operator(actor))
        if closed is None:
            raise unknown_offer(offer_id)
        return Response(_answer(closed), status_code=200)

    return await idempotency.run(database, effect)


def _answer(record: OfferRecord) -> OfferAnswer:
    return {
        "id": record.id,
        "booking_id": record.booking_id,
        "status": record.status,
        "closed_reason": record.closed_reason,
        "person_id": record.person_id,
        "name": record.name,
        "phone": record.phone,
        "created_at": record.created_at,
        "expires_at": record.expires_at,
        "decided_at": record.decided_at,
    }


def _key(row: OfferRecord | UnreadableRow) -> str:
    return row.id


ROUTES: Sequence[ControllerRouterHandler] = (
    Router(
        path=PATH,
        route_handlers=[offer, list_offers, withdraw],
        exception_handlers=OFFER_EXCEPTION_HANDLERS,
        tags=["offers"],
    ),
)
