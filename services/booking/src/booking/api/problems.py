"""Errors as problem+json (ALL-6, BK-2): one line says what is wrong and what to do."""

from collections.abc import Callable
from typing import Any

from litestar import Request, Response

from booking.domain.booking import IllegalTransitionError
from booking.domain.changes import NotChangeableError, PriceFrozenError
from booking.domain.entries import EntryRefusedError
from booking.domain.offers import BookingClosedError, OfferClosedError, OfferExistsError
from booking.domain.statuses import Status
from booking.handlers.preconditions import StaleVersionError
from chassis.http.problems import Problem, problem_response
from pricing import InvalidPriceRequestError, UnknownServiceError

AnyRequest = Request[Any, Any, Any]
ProblemResponse = Response[dict[str, Any]]


def unknown_booking(text: str) -> Problem:
    """Return a 404; also for a text that is no booking id."""
    return Problem(404, "unknown-booking", f"there is no booking {ascii(text)[:80]}")


def unknown_offer(text: str) -> Problem:
    """Return a 404; also for a text that is no id of an offer."""
    return Problem(404, "unknown-offer", f"the booking has no offer {ascii(text)[:80]}")


def unknown_status(text: str) -> Problem:
    """Return a 400 that lists the known statuses (BK-2)."""
    known = [status.value for status in Status]
    detail = f"status: {ascii(text)[:80]} is unknown, choose one of {', '.join(known)}"
    return Problem(400, "unknown-status", detail, statuses=known)


def _on_illegal_transition(_request: AnyRequest, error: IllegalTransitionError) -> ProblemResponse:
    members = {"from": error.from_status, "to": error.to_status, "allowed_transitions": list(error.allowed)}
    return problem_response(409, "illegal-transition", str(error), members)


def _on_stale_version(request: AnyRequest, error: StaleVersionError) -> ProblemResponse:
    detail = str(error)
    if "W/" in request.headers.get("if-match", ""):
        detail = f'If-Match: weak tags never match; send "{error.version}" without W/ if you have read it'
    return problem_response(412, "stale-version", detail, {"version": error.version})


def _on_unknown_service(_request: AnyRequest, error: UnknownServiceError) -> ProblemResponse:
    return problem_response(400, "unknown-service", str(error), {"services": list(error.known)})


def _on_unpriceable(_request: AnyRequest, error: InvalidPriceRequestError) -> ProblemResponse:
    message = str(error).removeprefix(f"{error.field}: ")
    members = {"errors": [{"field": error.field, "message": message}]}
    return problem_response(400, "invalid-request", str(error), members)


def _on_booking_closed(_request: AnyRequest, error: BookingClosedError) -> ProblemResponse:
    return problem_response(409, "booking-closed", str(error))


def _on_offer_exists(_request: AnyRequest, error: OfferExistsError) -> ProblemResponse:
    return problem_response(409, "offer-exists", str(error), {"offer_id": error.offer.id})


def _on_offer_closed(_request: AnyRequest, error: OfferClosedError) -> ProblemResponse:
    return problem_response(409, "offer-closed", str(error), {"closed_reason": error.offer.closed_reason})


OFFER_EXCEPTION_HANDLERS: dict[int | type[Exception], Callable[[AnyRequest, Any], ProblemResponse]] = {
    BookingClosedError: _on_booking_closed,
    OfferExistsError: _on_offer_exists,
    OfferClosedError: _on_offer_closed,
}


def _on_not_changeable(_request: AnyRequest, error: NotChangeableError) -> ProblemResponse:
    members = {"status": error.status, "fields": list(error.names)}
    return problem_response(409, "not-changeable", str(error), members)


def _on_price_frozen(_request: AnyRequest, error: PriceFrozenError) -> ProblemResponse:
    return problem_response(409, "price-frozen", str(error))


def _on_entry_refused(_request: AnyRequest, error: EntryRefusedError) -> ProblemResponse:
    return problem_response(_ENTRY_STATUSES.get(error.kind, 409), error.kind, str(error))


_ENTRY_STATUSES = {"currency-mismatch": 400, "unknown-payment": 404}

EXCEPTION_HANDLERS: dict[int | type[Exception], Callable[[AnyRequest, Any], ProblemResponse]] = {
    IllegalTransitionError: _on_illegal_transition,
    StaleVersionError: _on_stale_version,
    EntryRefusedError: _on_entry_refused,
    NotChangeableError: _on_not_changeable,
    PriceFrozenError: _on_price_frozen,
    UnknownServiceError: _on_unknown_service,
    InvalidPriceRequestError: _on_unpriceable,
}
