"""Errors as problem+json (ALL-6)."""

from datetime import datetime

from audit.domain.filters import FilterError
from audit.domain.payload_states import PayloadState
from chassis.http.problems import InvalidRequestError, Problem
from contracts.metadata import format_time

NO_LOG = {404: ["not-found"], 500: ["internal-error", "log-damaged"]}
"""Problems of the routes that read leaves and tiles."""


def unknown_entry(entry_id: int) -> Problem:
    return Problem(404, "not-found", f"the log has no entry {entry_id}")


def unknown_booking() -> Problem:
    return Problem(404, "not-found", "the log knows of no booking with this id")


def no_checkpoint() -> Problem:
    return Problem(404, "not-found", "nothing is sealed yet; readiness says why if that lasts")


def too_many_entries(detail: str) -> Problem:
    return Problem(409, "too-many-entries", f"{detail}: use an export of its entries")


def no_tile() -> Problem:
    return Problem(404, "not-found", "the newest checkpoint has no such tile")


def log_damaged() -> Problem:
    return Problem(500, "log-damaged", "the log lacks leaves that its checkpoint has: run `audit verify`")


def log_changed() -> Problem:
    return Problem(500, "log-damaged", "what is stored is not what the log has signed: run `audit verify`")


def payload_gone(entry_id: int, state: PayloadState, oldest_retained: datetime | None) -> Problem:
    """Return the answer for a payload that is no longer kept; the entry still is."""
    since = None if oldest_retained is None else format_time(oldest_retained)
    reason = f"has expired: payloads are kept since {since}" if state == "expired" else "was erased"
    detail = f"the payload of entry {entry_id} {reason}; GET /api/event-log/{entry_id} has the entry"
    return Problem(410, f"payload-{state}", detail, oldest_retained=since)


def too_many_streams(streams_max: int) -> Problem:
    detail = f"this process serves {streams_max} streams already; try again later"
    return Problem(503, "too-many-streams", detail, headers={"retry-after": "30"})


def invalid_filter(error: FilterError) -> InvalidRequestError:
    """Return the error of a parameter; the text of a `FilterError` begins with the parameter's name."""
    name, _, message = str(error).partition(": ")
    return InvalidRequestError(name, message)
