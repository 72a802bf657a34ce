"""Routes of a booking's payments."""

from collections.abc import Sequence
from typing import TypeVar

from litestar import Response, Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.types import ControllerRouterHandler

from booking.adapters.payments import PaymentRecord
from booking.api.bookings import PATH, UNKNOWN_BOOKING, operator
from booking.api.filters import Limit, parse_cursor, parse_id
from booking.api.problems import EXCEPTION_HANDLERS, unknown_booking
from booking.api.requests import NewEntry
from booking.api.responses import PaymentPage
from booking.handlers import queries
from booking.handlers.entries import EntryRequest, enter_money
from chassis.http.idempotency import Idempotency
from chassis.http.openapi.problems import STORED_ROW, refuses
from chassis.http.page_sizes import PAGE_ROWS_DEFAULT
from chassis.http.paging import page
from chassis.postgres import Connection, Database
from chassis.postgres.stored_rows import UnreadableRow, show_rows

RowT = TypeVar("RowT")


@get(
    "/{booking_id:str}/payments",
    summary="A booking's payments, oldest first",
    opt=refuses(UNKNOWN_BOOKING),
)
async def payments(
    booking_id: FromPath[str],
    database: NamedDependency[Database],
    limit: Limit = PAGE_ROWS_DEFAULT,
    cursor: FromQuery[str | None] = None,
) -> PaymentPage:
    """Return all payments. A payment with an anomaly is listed and does not count for the booking."""
    query = (PATH, "payments", parse_id(booking_id))
    rows = await queries.list_payments(
        database, parse_id(booking_id), after=parse_cursor(cursor, query), rows_max=limit + 1
    )
    if rows is None:
        raise unknown_booking(booking_id)
    shown = page(rows, limit=limit, key=lambda payment: [_id(payment)], of=query)
    items = show_rows(shown["items"], _unchanged, PaymentRecord, key=_id)
    return {"items": items, "next_cursor": shown["next_cursor"]}


@post(
    "/{booking_id:str}/payments",
    summary="Enter money that did not come by Stripe, or undo an entry",
    opt=refuses(
        {
            400: ["invalid-request", "currency-mismatch"],
            404: ["unknown-booking", "unknown-payment"],
            409: ["booking-cancelled", "not-an-entry", "already-reversed"],
            **STORED_ROW,
        }
    ),
)
async def enter(
    booking_id: FromPath[str],
    data: JSONBody[NewEntry],
    database: NamedDependency[Database],
    actor: NamedDependency[str],
    idempotency: NamedDependency[Idempotency],
) -> Response[PaymentRecord]:
    """Record cash, a transfer or a cheque. `reverses` names the payment of an earlier entry to undo."""
    request = EntryRequest(
        amount=None if data.amount is None else data.amount.money(),
        method=data.method,
        received_at=data.received_at,
        reason=data.reason,
        reverses=data.reverses,
        actor=operator(actor),
    )

    async def effect(connection: Connection) -> Response[PaymentRecord]:
        payment = await enter_money(connection, parse_id(booking_id), request)
        if payment is None:
            raise unknown_booking(booking_id)
        return Response(payment, status_code=201)

    return await idempotency.run(database, effect)


def _id(row: PaymentRecord | UnreadableRow) -> str:
    return row.id


def _unchanged(row: RowT) -> RowT:
    return row


ROUTES: Sequence[ControllerRouterHandler] = (
    Router(
        path=PATH,
        route_handlers=[payments, enter],
        exception_handlers=EXCEPTION_HANDLERS,
        tags=["payments"],
    ),
)
