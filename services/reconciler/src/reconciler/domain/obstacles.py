"""Reasons why nothing follows from a booking's stored values (REC-12)."""

from dataclasses import dataclass
from typing import Literal

from contracts.text import sanitize_for_postgres
from reconciler.domain.causes import NO_CAUSE, Cause

Obstacle = Literal[
    "snapshot_missing",
    "snapshot_unreadable",
    "version_unknown",
    "status_unknown",
    "history_disagrees",
    "sums_disagree",
    "payment_status_disagrees",
    "payments_impossible",
    "time_impossible",
    "row_unreadable",
    "unexpected_error",
]


ERROR_CHARACTERS_MAX = 500


class NotEvaluableError(ValueError):
    """The booking cannot be evaluated. The message is one line that says what disagrees with what.

    Args:
        message: `<place>: <problem>`.
        obstacle: kind of the reason.
        cause: rate card and engine of the snapshot, as far as they are known.
        currency, amount: the difference between two stored amounts, where that is the reason.
    """

    def __init__(
        self,
        message: str,
        obstacle: Obstacle,
        *,
        cause: Cause = NO_CAUSE,
        currency: str | None = None,
        amount: int | None = None,
    ) -> None:
        super().__init__(message)
        self.obstacle: Obstacle = obstacle
        self.cause = cause
        self.currency = currency
        self.amount = amount


@dataclass(frozen=True, slots=True)
class Errored:
    """A booking that could not be evaluated (REC-12); `error` is one line that a text column stores.

    The other attributes are those of `NotEvaluableError`.
    """

    booking_id: str
    error: str
    obstacle: Obstacle = "unexpected_error"
    cause: Cause = NO_CAUSE
    currency: str | None = None
    amount: int | None = None


def record_error(booking_id: str, error: Exception) -> Errored:
    """Return what is recorded of a booking's error."""
    if not isinstance(error, NotEvaluableError):
        return Errored(booking_id, error_line(f"{type(error).__name__}: {error}"))
    return Errored(
        booking_id, error_line(str(error)), error.obstacle, error.cause, error.currency, error.amount
    )


def error_line(text: str) -> str:
    """Return a text as one line that a text column stores."""
    return sanitize_for_postgres(" ".join(text.split())[:ERROR_CHARACTERS_MAX])
