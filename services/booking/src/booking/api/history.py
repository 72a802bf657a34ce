"""Routes of a booking's history: transitions, states of the past, differences (BK-14)."""

from collections.abc import Sequence
from typing import Annotated, Any

from litestar import Request, Router, get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter
from litestar.types import ControllerRouterHandler

from booking.adapters.transitions import HistoryEntry
from booking.api.filters import parse_id
from booking.api.history_answers import (
    AllowedStep,
    BookingStateAnswer,
    DifferencesAnswer,
    NextSteps,
    StatusHistory,
    TransitionAnswer,
)
from booking.api.problems import EXCEPTION_HANDLERS, unknown_booking
from booking.api.roles import CHANGE_STATUS
from booking.domain.revisions import AsOf, Revision, Step, next_steps
from booking.handlers import history
from booking.handlers.history import NoSuchStateError, StatusOnly
from chassis.auth.identity import Identity
from chassis.http.openapi.problems import STORED_ROW, refuses
from chassis.http.problems import InvalidRequestError, Problem
from chassis.postgres import Database
from chassis.postgres.stored_rows import UnreadableRow, show_row, show_rows
from contracts.ids import BookingId
from contracts.money import Money
from contracts.times import TimeError, parse_time

VERSION_MAX = 10**15
NO_SUCH_STATE = ["unknown-booking", "version-unknown", "version-not-recorded"]
NO_SUCH_MOMENT = [*NO_SUCH_STATE, "before-creation", "moment-in-the-future"]


@get(
    "/{booking_id:str}/status-history",
    summary="A booking's status history, oldest first",
    opt=refuses({404: ["unknown-booking"]}),
)
async def status_history(booking_id: FromPath[str], database: NamedDependency[Database]) -> StatusHistory:
    """Return each transition with actor, time and reason."""
    rows = await history.get_status_history(database, parse_id(booking_id))
    if rows is None:
        raise unknown_booking(booking_id)
    shown = show_rows(rows, _transition, TransitionAnswer, key=_id)
    return {"booking_id": parse_id(booking_id), "history": shown}


@get(
    "/{booking_id:str}/transitions",
    summary="Statuses that a booking may get now, and why not the others",
    opt=refuses({404: ["unknown-booking"], **STORED_ROW}),
)
async def transitions(
    booking_id: FromPath[str], request: Request[Any, Any, Any], database: NamedDependency[Database]
) -> NextSteps:
    """Return the steps from the current status, for this caller."""
    booking = await history.get_booking_state(database, parse_id(booking_id))
    if booking is None:
        raise unknown_booking(booking_id)
    steps = next_steps(booking.status)
    identity: Identity = request.user
    may_change = bool(identity.roles & CHANGE_STATUS)
    allowed = [_allowed(step, may_change=may_change) for step in steps if step.why is None]
    return {
        "booking_id": booking.id,
        "status": booking.status,
        "version": booking.version,
        "final": not allowed,
        "allowed": allowed,
        "refused": [{"to": step.to, "why": step.why} for step in steps if step.why is not None],
    }


@get(
    "/{booking_id:str}/differences",
    summary="What differs between two versions of a booking",
    opt=refuses({404: NO_SUCH_STATE, **STORED_ROW}),
)
async def differences(
    booking_id: FromPath[str],
    database: NamedDependency[Database],
    before: Annotated[int, QueryParameter(name="from", ge=1, le=VERSION_MAX)] = 1,
    after: Annotated[int | None, QueryParameter(name="to", ge=1, le=VERSION_MAX)] = None,
) -> DifferencesAnswer:
    """Return fields with their values before and after, and price lines that add up; without `to`, to now."""
    try:
        differences = await history.get_differences(database, parse_id(booking_id), before, after)
    except NoSuchStateError as error:
        raise Problem(404, error.kind, str(error)) from None
    if differences is None:
        raise unknown_booking(booking_id)
    old, new, difference = differences
    price = difference.price
    return {
        "booking_id": old.booking_id,
        "from": {"version": old.version, "recorded_at": old.recorded_at},
        "to": {"version": new.version, "recorded_at": new.recorded_at},
        "fields": list(difference.fields),
        "price": None
        if price is None
        else {
            "currency": price.currency,
            "difference": price.difference,
            "lines": [
                {
                    "change": line.change,
                    "code": line.code,
                    "before": line.before,
                    "after": line.after,
                    "difference": line.difference,
                }
                for line in price.lines
            ],
            "other": price.other,
        },
    }


async def state_as_of(database: Database, booking_id: BookingId, text: str) -> BookingStateAnswer:
    """Return a booking as it was, for `as_of` of `GET /api/bookings/{id}`.

    Raises:
        InvalidRequestError: `as_of` is neither a version nor a time.
        Problem: 404, the booking is unknown or had no such state.
    """
    try:
        state = await history.get_state_as_of(database, booking_id, _parse_as_of(text))
    except NoSuchStateError as error:
        raise Problem(404, error.kind, str(error)) from None
    if state is None:
        raise unknown_booking(booking_id)
    if isinstance(state, StatusOnly):
        return BookingStateAnswer(booking_id=booking_id, as_of=text, complete=False, status=state.status)
    answer = _state(state, text)
    return show_row(answer, lambda value: value, BookingStateAnswer, key=lambda value: value.version)


def _parse_as_of(text: str) -> AsOf:
    if text.isascii() and text.isdigit():
        version = int(text[:16])
        if not 1 <= version <= VERSION_MAX:
            raise InvalidRequestError("as_of", f"a version is a number from 1 to {VERSION_MAX}")
        return version
    try:
        return parse_time(text)
    except TimeError as error:
        raise InvalidRequestError("as_of", f"neither a version nor a time: {error}") from None


def _state(revision: Revision, as_of: str) -> BookingStateAnswer:
    currency = revision.total.currency
    return BookingStateAnswer(
        booking_id=revision.booking_id,
        as_of=as_of,
        complete=True,
        status=revision.status,
        version=revision.version,
        recorded_at=revision.recorded_at,
        written_by=revision.written_by,
        payment_status=revision.payment_status,
        total=revision.total,
        captured=Money(revision.captured, currency),
        refunded=Money(revision.refunded, currency),
        pricing=revision.pricing,
        payments=revision.payments,
    )


def _transition(entry: HistoryEntry) -> TransitionAnswer:
    answer: TransitionAnswer = {
        "id": entry.id,
        "from_status": entry.from_status,
        "to_status": entry.to_status,
        "changed_by": entry.changed_by,
        "reason": entry.reason,
        "metadata": entry.metadata,
        "version": entry.version,
        "recorded_at": entry.recorded_at,
    }
    if entry.reason_erased:
        answer["reason_erased"] = True
    if entry.event_id is not None:
        answer["event_id"] = entry.event_id
        answer["event_log"] = f"/api/event-log?source=booking&event_id={entry.event_id}"
    return answer


def _allowed(step: Step, *, may_change: bool) -> AllowedStep:
    if may_change:
        return {"to": step.to}
    return {"to": step.to, "needs_role": " or ".join(sorted(CHANGE_STATUS))}


def _id(row: HistoryEntry | UnreadableRow) -> str:
    return row.id


ROUTES: Sequence[ControllerRouterHandler] = (
    Router(
        path="/api/bookings",
        route_handlers=[status_history, transitions, differences],
        exception_handlers=EXCEPTION_HANDLERS,
        tags=["history"],
    ),
)
