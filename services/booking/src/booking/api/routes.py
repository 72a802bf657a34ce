"""The routes."""

from collections.abc import Sequence
from typing import Annotated, TypedDict, TypeVar

from litestar import Response, Router, get, patch, post
from litestar.datastructures import ResponseHeader
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, HeaderParameter, JSONBody, QueryParameter
from litestar.types import ControllerRouterHandler

from booking.adapters.payments import PaymentRecord
from booking.adapters.transitions import HistoryEntry
from booking.api.answers import (
    BookingAnswer,
    TransitionAnswer,
    booking_answer,
    entity_tag,
    transition_answer,
)
from booking.api.bodies import BookingChange, NewBooking
from booking.api.conditions import checked_idempotency_key, versions_wanted
from booking.api.problems import EXCEPTION_HANDLERS, unknown_booking, unknown_status
from booking.domain.booking import parse_booking_id
from booking.domain.details import BookingRecord
from booking.domain.funds import PaymentStatus
from booking.domain.statuses import Actor, Status
from booking.handlers import reading
from booking.handlers.changes import StatusChange, change_booking_status
from booking.handlers.creation import Request, create_booking
from chassis.http import Problem
from chassis.http.openapi.problems import STORED_ROW, refuses
from chassis.http.paging import (
    PAGE_ROWS_DEFAULT,
    PAGE_ROWS_MAX,
    bad_cursor,
    decode_cursor,
    page,
)
from chassis.postgres import Database
from chassis.postgres.read_pool import READ_REFUSALS
from chassis.postgres.stored_rows import UnreadableItem, UnreadableRow, show_row, show_rows
from contracts.ids import BookingId

PATH = "/api/bookings"


class BookingPage(TypedDict):
    """Bookings, newest first."""

    items: list[BookingAnswer | UnreadableItem]
    next_cursor: str | None


class StatusHistory(TypedDict):
    """Transitions, oldest first."""

    booking_id: str
    history: list[TransitionAnswer | UnreadableItem]


class PaymentPage(TypedDict):
    """Payments, in order of their recording."""

    items: list[PaymentRecord | UnreadableItem]
    next_cursor: str | None


ETAG = ResponseHeader(
    "ETag", documentation_only=True, required=True, description="the version, to be sent back in If-Match"
)
UNKNOWN = {404: ["unknown-booking"]}
RowT = TypeVar("RowT")

Limit = Annotated[int, QueryParameter(ge=1, le=PAGE_ROWS_MAX)]


@post(
    "/",
    summary="Make a booking",
    response_headers=[ETAG, ResponseHeader("Location", documentation_only=True, required=True)],
    opt=refuses(
        {
            400: ["invalid-request", "malformed-idempotency-key", "unknown-service"],
            409: ["idempotency-key-reused"],
            **STORED_ROW,
        }
    ),
)
async def create(
    data: JSONBody[NewBooking],
    database: NamedDependency[Database],
    time_zone: NamedDependency[str],
    actor: NamedDependency[str],
    idempotency_key: Annotated[str | None, HeaderParameter(name="Idempotency-Key")] = None,
) -> Response[BookingAnswer]:
    """Priced by the current rate card. The same key and body get the same answer again."""
    request = Request(
        data.details(), _operator(actor), checked_idempotency_key(idempotency_key), data.sha256()
    )
    record = await create_booking(database, request, time_zone=time_zone)
    return _answer(record, status=201, headers={"Location": f"{PATH}/{record.booking.id}"})


@get("/", summary="List bookings, newest first", opt=refuses(READ_REFUSALS))
async def list_bookings(
    database: NamedDependency[Database],
    searches: NamedDependency[Database],
    status: FromQuery[Status | None] = None,
    payment_status: FromQuery[PaymentStatus | None] = None,
    service: FromQuery[str | None] = None,
    limit: Limit = PAGE_ROWS_DEFAULT,
    cursor: FromQuery[str | None] = None,
) -> BookingPage:
    """One page; `next_cursor` leads to the next."""
    question = (PATH, status, payment_status, service)
    wanted = reading.Filter(
        status=status, payment_status=payment_status, service=service, before=_position(cursor, question)
    )
    records = await reading.read_bookings(database, searches, wanted, rows_max=limit + 1)
    shown = page(records, limit=limit, key=lambda record: [_id(record)], of=question)
    items = show_rows(shown["items"], booking_answer, BookingAnswer, key=_id)
    return {"items": items, "next_cursor": shown["next_cursor"]}


@get(
    "/{booking_id:str}",
    summary="One booking",
    response_headers=[ETAG],
    opt=refuses({**UNKNOWN, **STORED_ROW}),
)
async def read(booking_id: FromPath[str], database: NamedDependency[Database]) -> Response[BookingAnswer]:
    """With its version as ETag."""
    record = await reading.read_booking(database, _known_form(booking_id))
    if record is None:
        raise unknown_booking(booking_id)
    show_row(record, booking_answer, BookingAnswer, key=_id)
    return _answer(record)


@patch(
    "/{booking_id:str}",
    summary="Change a booking's status",
    response_headers=[ETAG],
    opt=refuses(
        {
            **UNKNOWN,
            **STORED_ROW,
            400: ["invalid-request", "malformed-if-match", "unknown-status"],
            409: ["illegal-transition"],
            412: ["stale-version"],
        }
    ),
)
async def change(
    booking_id: FromPath[str],
    data: JSONBody[BookingChange],
    database: NamedDependency[Database],
    actor: NamedDependency[str],
    if_match: Annotated[str | None, HeaderParameter(name="If-Match")] = None,
) -> Response[BookingAnswer]:
    """By the transition table. The status that it has already is no change."""
    wish = StatusChange(_status(data.status), data.reason, _operator(actor), versions_wanted(if_match))
    record = await change_booking_status(database, _known_form(booking_id), wish)
    if record is None:
        raise unknown_booking(booking_id)
    return _answer(record)


@get(
    "/{booking_id:str}/status-history",
    summary="A booking's status history, oldest first",
    opt=refuses(UNKNOWN),
)
async def status_history(booking_id: FromPath[str], database: NamedDependency[Database]) -> StatusHistory:
    """Each transition with who, when and why."""
    history = await reading.read_status_history(database, _known_form(booking_id))
    if history is None:
        raise unknown_booking(booking_id)
    shown = show_rows(history, transition_answer, TransitionAnswer, key=_id)
    return {"booking_id": _known_form(booking_id), "history": shown}


@get(
    "/{booking_id:str}/payments",
    summary="A booking's payments, oldest first",
    opt=refuses(UNKNOWN),
)
async def payments(
    booking_id: FromPath[str],
    database: NamedDependency[Database],
    limit: Limit = PAGE_ROWS_DEFAULT,
    cursor: FromQuery[str | None] = None,
) -> PaymentPage:
    """Those with an anomaly are shown, and do not count for the booking."""
    question = (PATH, "payments", _known_form(booking_id))
    rows = await reading.read_booking_payments(
        database, _known_form(booking_id), after=_position(cursor, question), rows_max=limit + 1
    )
    if rows is None:
        raise unknown_booking(booking_id)
    shown = page(rows, limit=limit, key=lambda payment: [_id(payment)], of=question)
    items = show_rows(shown["items"], _as_it_is, PaymentRecord, key=_id)
    return {"items": items, "next_cursor": shown["next_cursor"]}


def _id(row: BookingRecord | HistoryEntry | PaymentRecord | UnreadableRow) -> str:
    return row.booking.id if isinstance(row, BookingRecord) else row.id


def _as_it_is(row: RowT) -> RowT:
    return row


def _operator(actor: str) -> Actor:
    """Whoever may write here is a person of the business."""
    return Actor(actor, is_operator=True)


def _known_form(booking_id: str) -> BookingId:
    parsed = parse_booking_id(booking_id)
    if parsed is None:
        raise unknown_booking(booking_id)
    return parsed


def _status(text: str | None) -> Status:
    if text is None:
        raise Problem(400, "invalid-request", "status: missing, there is nothing to change")
    try:
        return Status(text)
    except ValueError:
        raise unknown_status(text) from None


def _position(cursor: str | None, question: object) -> BookingId | None:
    """The id at which the page before ended; bookings and payments are both in order of their ids."""
    key = decode_cursor(cursor, [str], question)
    if key is None:
        return None
    position = parse_booking_id(key[0])
    if position is None:
        raise bad_cursor()
    return position


def _answer(
    record: BookingRecord, *, status: int = 200, headers: dict[str, str] | None = None
) -> Response[BookingAnswer]:
    tag = {"ETag": entity_tag(record.booking)}
    return Response(booking_answer(record), status_code=status, headers=tag | (headers or {}))


ROUTES: Sequence[ControllerRouterHandler] = (
    Router(
        path=PATH,
        route_handlers=[create, list_bookings, read, change, status_history, payments],
        exception_handlers=EXCEPTION_HANDLERS,
        tags=["bookings"],
    ),
)
