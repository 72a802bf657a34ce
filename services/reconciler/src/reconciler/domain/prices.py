"""The stored price of a booking, and the one that its own rate card and engine compute (REC-3)."""

from pricing import (
    PricingError,
    Quote,
    Snapshot,
    UnknownEngineVersionError,
    UnknownRateCardError,
    UnknownServiceError,
    UnreadableSnapshotError,
    UnsuitableEngineError,
    parse_snapshot_text,
    recompute,
)
from reconciler.domain.bookings import StoredBooking
from reconciler.domain.causes import Cause
from reconciler.domain.obstacles import NotEvaluableError

_VERSION_CHARACTERS_MAX = 80
_VERSION_ERRORS = (
    UnknownRateCardError,
    UnknownEngineVersionError,
    UnknownServiceError,
    UnsuitableEngineError,
)


def read_prices(booking: StoredBooking) -> tuple[Snapshot, Quote]:
    """Return the stored and the recomputed price, or raise NotEvaluableError."""
    if booking.pricing is None:
        raise NotEvaluableError(
            f"pricing: a booking that is {booking.status} has no snapshot", "snapshot_missing"
        )
    try:
        snapshot = parse_snapshot_text(booking.pricing)
    except UnreadableSnapshotError as error:
        raise NotEvaluableError(str(error), "snapshot_unreadable") from error
    except ValueError as error:
        # Also a number of more digits than Python reads.
        raise NotEvaluableError(f"snapshot: no JSON: {error}", "snapshot_unreadable") from error
    try:
        return snapshot, recompute(snapshot)
    except PricingError as error:
        card = f"{snapshot.card_id}/{snapshot.card_version}"[:_VERSION_CHARACTERS_MAX]
        cause = Cause(rate_card=card, engine=str(snapshot.engine_version))
        obstacle = "version_unknown" if isinstance(error, _VERSION_ERRORS) else "snapshot_unreadable"
        raise NotEvaluableError(str(error), obstacle, cause=cause) from error
