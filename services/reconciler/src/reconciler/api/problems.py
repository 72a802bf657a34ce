"""Errors as problem+json (ALL-6)."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from litestar import Request, Response

from chassis.http.problems import Problem, problem_response
from reconciler.domain.decisions import StepRefusedError
from reconciler.handlers.exception_workflow import StaleExceptionError

AnyRequest = Request[Any, Any, Any]
ProblemResponse = Response[dict[str, Any]]


def unknown_exception(exception_id: UUID) -> Problem:
    return Problem(404, "exception-not-found", f"there is no exception {exception_id}")


def unknown_run(run_id: UUID) -> Problem:
    return Problem(404, "run-not-found", f"there is no run {run_id}")


def run_ended(line: str) -> Problem:
    """Return a 409 that says how and when the run ended."""
    return Problem(409, "run-ended", line)


def no_dry_run(run_id: UUID) -> Problem:
    detail = f"run {run_id} was no dry run: its findings are exceptions, see GET /api/exceptions"
    return Problem(409, "no-dry-run", detail)


def unknown_sweep(sweep_id: UUID) -> Problem:
    return Problem(404, "sweep-not-found", f"there is no sweep {sweep_id}")


def sweeps_are_off() -> Problem:
    return Problem(409, "sweep-off", "there is no STRIPE_API_KEY: set one, and restart the reconciler")


def unknown_view(view_id: UUID) -> Problem:
    return Problem(404, "view-not-found", f"there is no view {view_id} of yours, and no shared one")


def outdated_view(view_id: UUID, reason: str) -> Problem:
    return Problem(409, "view-outdated", f"view {view_id}: {reason}; delete it and make a new one")


def unknown_value(
    name: str, message: str, allowed: Sequence[str], others: Sequence[tuple[str, str]] = ()
) -> Problem:
    """Return a 400 that lists the allowed values of a parameter or member, and all that is wrong."""
    errors = [{"field": field, "message": text} for field, text in ((name, message), *others)]
    more = f" (the first of {len(errors)} in `errors`)" if others else ""
    return Problem(400, "invalid-request", f"{name}: {message}{more}", allowed=list(allowed), errors=errors)


def _on_refused_step(_request: AnyRequest, error: StepRefusedError) -> ProblemResponse:
    if error.kind == "invalid-step":
        return problem_response(400, "invalid-request", str(error))
    return problem_response(409, error.kind, str(error))


def _on_stale_exception(_request: AnyRequest, error: StaleExceptionError) -> ProblemResponse:
    return problem_response(412, "stale-version", str(error), {"version": error.version})


STEP_EXCEPTION_HANDLERS: dict[int | type[Exception], Callable[[AnyRequest, Any], ProblemResponse]] = {
    StepRefusedError: _on_refused_step,
    StaleExceptionError: _on_stale_exception,
}
