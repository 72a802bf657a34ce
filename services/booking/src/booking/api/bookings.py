"""Routes of `/api/bookings`."""

from collections.abc import Sequence

from litestar import Response, Router, get, patch, post
from litestar.datastructures import ResponseHeader
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.types import ControllerRouterHandler

from booking.api.filters import Limit, SearchText, parse_cursor, parse_day, parse_id, parse_phone
from booking.api.history import NO_SUCH_MOMENT, state_as_of
from booking.api.history_answers import BookingStateAnswer
from booking.api.preconditions import precondition
from booking.api.problems import EXCEPTION_HANDLERS, unknown_booking, unknown_status
from booking.api.requests import BookingChange, NewBooking, Repricing
from booking.api.responses import (
    BookingAnswer,
    BookingPage,
    ChangedBookingAnswer,
    PricedBookingAnswer,
    booking_response,
    booking_tag,
    changed_booking_response,
    priced_booking_response,
)
from booking.domain.details import BookingRecord, price_warnings
from booking.domain.filters import BookingFilter
from booking.domain.funds import PaymentStatus
from booking.domain.statuses import Actor, Status
from booking.handlers import queries
from booking.handlers.changes import ChangedBooking, ChangeRequest, change_booking, reprice_booking
from booking.handlers.creation import BookingRequest, create_booking, rebuild_created
from chassis.http.conditional_requests import IfMatch, tagged
from chassis.http.idempotency import Idempotency
from chassis.http.openapi.problems import STORED_ROW, refuses
from chassis.http.page_sizes import PAGE_ROWS_DEFAULT
from chassis.http.paging import page
from chassis.http.problems import InvalidRequestError
from chassis.postgres import Connection, Database
from chassis.postgres.read_pool import READ_REFUSALS
from chassis.postgres.stored_rows import UnreadableRow, show_row, show_rows
from contracts.ids import BookingId

PATH = "/api/bookings"
ETAG = ResponseHeader(
    "ETag",
    documentation_only=True,
    required=True,
    description="of the booking: version and digest of the representation, to be sent back in If-Match",
)
UNKNOWN_BOOKING = {404: ["unknown-booking"]}


@post(
    "/",
    summary="Make a booking",
    response_headers=[ETAG, ResponseHeader("Location", documentation_only=True, required=True)],
    opt=refuses({400: ["invalid-request", "unknown-service"], **STORED_ROW}),
)
async def create(
    data: JSONBody[NewBooking],
    database: NamedDependency[Database],
    time_zone: NamedDependency[str],
    business_country: NamedDependency[str],
    actor: NamedDependency[str],
    idempotency: NamedDependency[Idempotency],
) -> Response[PricedBookingAnswer]:
    """Price the booking by the rate card in force. `warnings` says what is odd about the request."""

    async def effect(connection: Connection) -> Response[PricedBookingAnswer]:
        request = BookingRequest(data.details(business_country), operator(actor))
        return _created(await create_booking(connection, request, time_zone=time_zone), time_zone)

    async def rebuild(connection: Connection, resource: str) -> Response[PricedBookingAnswer]:
        record = await rebuild_created(connection, BookingId(resource.removeprefix(f"{PATH}/")))
        return _created(record, time_zone)

    return await idempotency.run(database, effect, rebuild=rebuild, moved_sha256=data.sha256())


@get("/", summary="List bookings, newest first", opt=refuses(READ_REFUSALS))
async def list_bookings(
    *,
    database: NamedDependency[Database],
    searches: NamedDependency[Database],
    time_zone: NamedDependency[str],
    business_country: NamedDependency[str],
    status: FromQuery[Status | None] = None,
    payment_status: FromQuery[PaymentStatus | None] = None,
    service: FromQuery[str | None] = None,
    client: SearchText = None,
    phone: SearchText = None,
    day: FromQuery[str | None] = None,
    limit: Limit = PAGE_ROWS_DEFAULT,
    cursor: FromQuery[str | None] = None,
) -> BookingPage:
    """Return one page; `next_cursor` leads to the next.

    `client` is part of a name, `phone` a number in any form, `day` a local day that the booking touches.
    """
    query = (PATH, status, payment_status, service, client, phone, day)
    bookings = BookingFilter(
        status=status,
        payment_status=payment_status,
        service=service,
        client=client,
        phone=parse_phone(phone, business_country),
        day=parse_day(day, time_zone),
        before=parse_cursor(cursor, query),
    )
    records = await queries.list_bookings(database, searches, bookings, rows_max=limit + 1)
    shown = page(records, limit=limit, key=lambda record: [_id(record)], of=query)
    items = show_rows(shown["items"], booking_response, BookingAnswer, key=_id)
    return {"items": items, "next_cursor": shown["next_cursor"]}


@get(
    "/{booking_id:str}",
    summary="One booking",
    response_headers=[ETAG],
    opt=refuses({404: NO_SUCH_MOMENT, **STORED_ROW}),
)
async def read(
    booking_id: FromPath[str],
    database: NamedDependency[Database],
    as_of: FromQuery[str | None] = None,
) -> Response[BookingAnswer | BookingStateAnswer]:
    """Return a booking; with `as_of` (version or time) as it was. The ETag begins with the version."""
    if as_of is not None:
        state = await state_as_of(database, parse_id(booking_id), as_of)
        return _state_response(state, state.version or 0)
    record = await queries.get_booking(database, parse_id(booking_id))
    if record is None:
        raise unknown_booking(booking_id)
    answer = show_row(record, booking_response, BookingAnswer, key=_id)
    return _state_response(answer, answer.version)


@patch(
    "/{booking_id:str}",
    summary="Change a booking's status or details",
    response_headers=[ETAG],
    opt=refuses(
        {
            **UNKNOWN_BOOKING,
            **STORED_ROW,
            400: ["invalid-request", "unknown-status"],
            409: ["illegal-transition", "not-changeable", "price-frozen"],
        }
    ),
)
async def change(
    booking_id: FromPath[str],
    data: JSONBody[BookingChange],
    database: NamedDependency[Database],
    time_zone: NamedDependency[str],
    business_country: NamedDependency[str],
    actor: NamedDependency[str],
    if_match: NamedDependency[IfMatch],
) -> Response[ChangedBookingAnswer]:
    """Change the status by the transition table, and the details that the body has.

    A pending booking is priced anew. A confirmed one keeps its price. The current status and details are
    accepted and change nothing.
    """
    details = data.changed_details(business_country)
    if data.status is None and not details:
        raise InvalidRequestError("status", "missing, there is nothing to change")
    request = ChangeRequest(
        actor=operator(actor),
        precondition=precondition(if_match),
        reason=data.reason,
        status=None if data.status is None else _parse_status(data.status),
        details=details,
    )
    changed = await change_booking(database, parse_id(booking_id), request, time_zone=time_zone)
    if changed is None:
        raise unknown_booking(booking_id)
    return _changed(changed, time_zone, status=200)


@post(
    "/{booking_id:str}/reprice",
    summary="Price a pending booking anew, or override its price",
    status_code=200,
    response_headers=[ETAG],
    opt=refuses(
        {
            **UNKNOWN_BOOKING,
            **STORED_ROW,
            400: ["invalid-request", "unknown-service"],
            409: ["not-changeable", "price-frozen"],
        }
    ),
)
async def reprice(
    booking_id: FromPath[str],
    data: JSONBody[Repricing],
    database: NamedDependency[Database],
    time_zone: NamedDependency[str],
    business_country: NamedDependency[str],
    actor: NamedDependency[str],
    if_match: NamedDependency[IfMatch],
    idempotency: NamedDependency[Idempotency],
) -> Response[ChangedBookingAnswer]:
    """With `total`, set the price that was agreed (until the booking is completed or cancelled).

    Without it, price the booking anew by the rate card in force, with the details that the body has; only
    while the booking is pending.
    """
    request = ChangeRequest(
        actor=operator(actor),
        precondition=precondition(if_match),
        reason=data.reason,
        details=data.changed_details(business_country),
        total=None if data.total is None else data.total.money(),
    )

    async def effect(connection: Connection) -> Response[ChangedBookingAnswer]:
        changed = await reprice_booking(connection, parse_id(booking_id), request, time_zone=time_zone)
        if changed is None:
            raise unknown_booking(booking_id)
        return _changed(changed, time_zone, status=200)

    return await idempotency.run(database, effect)


def _id(row: BookingRecord | UnreadableRow) -> str:
    return row.booking.id if isinstance(row, BookingRecord) else row.id


def operator(actor: str) -> Actor:
    """Return the caller as an actor: the access table lets only people of the business write."""
    return Actor(actor, is_operator=True)


def _parse_status(text: str) -> Status:
    try:
        return Status(text)
    except ValueError:
        raise unknown_status(text) from None


def _created(record: BookingRecord, time_zone: str) -> Response[PricedBookingAnswer]:
    warnings = price_warnings(record.details, time_zone=time_zone, at=record.created_at)
    headers = {"ETag": booking_tag(record), "Location": f"{PATH}/{record.booking.id}"}
    return Response(priced_booking_response(record, warnings), status_code=201, headers=headers)


def _state_response(
    state: BookingAnswer | BookingStateAnswer, version: int
) -> Response[BookingAnswer | BookingStateAnswer]:
    return tagged(state, version)


def _changed(changed: ChangedBooking, time_zone: str, *, status: int) -> Response[ChangedBookingAnswer]:
    record = changed.record
    warnings = price_warnings(record.details, time_zone=time_zone, at=record.updated_at)
    return Response(
        changed_booking_response(record, warnings, changed.price_change),
        status_code=status,
        headers={"ETag": booking_tag(record)},
    )


ROUTES: Sequence[ControllerRouterHandler] = (
    Router(
        path=PATH,
        route_handlers=[create, list_bookings, read, change, reprice],
        exception_handlers=EXCEPTION_HANDLERS,
        tags=["bookings"],
    ),
)
