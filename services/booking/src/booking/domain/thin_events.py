"""Thin events: Stripe names an object and the service fetches it (BK-7b)."""

from dataclasses import dataclass

ATTEMPTS_MAX = 24
"""With the delays below, about 15 hours."""
DELAY_SECONDS_MAX = 3600.0
_FIRST_DELAY_SECONDS = 5.0


class FetchError(Exception):
    """The object was not fetched. The text says why, in plain words and without a value from outside."""


class FetchLaterError(FetchError):
    """The reason may pass: try again later."""


class FetchRefusedError(FetchError):
    """Another attempt would fail too: a person must look."""


@dataclass(frozen=True, slots=True)
class ThinEvent:
    """An event whose object is still to be fetched.

    Attributes:
        source, event_id: identity of the message.
        event_type: as of a snapshot event, e.g. `stripe.payment_intent.succeeded`.
        object_type, object_id: the object, e.g. `payment_intent`.
        occurred_at: seconds since the epoch, by the provider's clock.
        correlation_id, traceparent: of the message, for the events that it causes.
        attempts: how often the object was asked for, with the current attempt.
    """

    source: str
    event_id: str
    event_type: str
    object_type: str
    object_id: str
    occurred_at: int
    correlation_id: str | None = None
    traceparent: str | None = None
    attempts: int = 0

    @property
    def is_last_attempt(self) -> bool:
        """Return True if no attempt follows the current one."""
        return self.attempts >= ATTEMPTS_MAX

    @property
    def delay_seconds(self) -> float:
        """Return the time until the next attempt: doubled by each, an hour at most."""
        doublings = min(max(self.attempts - 1, 0), ATTEMPTS_MAX)
        return min(_FIRST_DELAY_SECONDS * 2**doublings, DELAY_SECONDS_MAX)
