"""Errors as problem+json (ALL-6)."""

from collections.abc import Sequence
from uuid import UUID

from chassis.http import Problem


def unknown_exception(exception_id: UUID) -> Problem:
    return Problem(404, "exception-not-found", f"there is no exception {exception_id}")


def unknown_run(run_id: UUID) -> Problem:
    return Problem(404, "run-not-found", f"there is no run {run_id}")


def unknown_value(name: str, value: str, allowed: Sequence[str]) -> Problem:
    """Return a 400 that lists the allowed values of a parameter."""
    detail = f"{name}: {value[:80]!a} is unknown, choose one of {', '.join(allowed)}"
    return Problem(400, "invalid-request", detail, allowed=list(allowed))
