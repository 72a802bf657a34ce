"""Errors as problem+json (ALL-6)."""

from collections.abc import Callable
from typing import Any

from litestar import Request, Response

from audit.domain.filters import FilterError
from chassis.http import Problem
from chassis.http.problems import PROBLEM_JSON, problem_body

NO_LOG = {404: ["not-found"], 500: ["internal-error", "log-damaged"]}
"""Problems of the routes that read leaves and tiles."""

AnyRequest = Request[Any, Any, Any]
ProblemResponse = Response[dict[str, Any]]


def unknown_entry(entry_id: int) -> Problem:
    return Problem(404, "not-found", f"the log has no entry {entry_id}")


def unknown_booking() -> Problem:
    return Problem(404, "not-found", "the log knows of no booking with this id")


def no_checkpoint() -> Problem:
    return Problem(404, "not-found", "nothing is sealed yet; readiness says why if that lasts")


def no_tile() -> Problem:
    return Problem(404, "not-found", "the newest checkpoint has no such tile")


def log_damaged() -> Problem:
    return Problem(500, "log-damaged", "the log lacks leaves that its checkpoint has: run `audit verify`")


def _on_filter_error(_request: AnyRequest, error: FilterError) -> ProblemResponse:
    body = problem_body(400, "invalid-request", str(error))
    return Response(body, status_code=400, media_type=PROBLEM_JSON)


EXCEPTION_HANDLERS: dict[int | type[Exception], Callable[[AnyRequest, Any], ProblemResponse]] = {
    FilterError: _on_filter_error,
}
