"""A sweep of Stripe's lists: its steps, and what happens when a request fails (REC-13)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID, uuid5

from reconciler.domain.stripe_pages import Position
from reconciler.domain.sweep_windows import Window

SweepTrigger = Literal["schedule", "retry", "api", "cli"]
ObjectType = Literal["event", "payment_intent", "charge", "refund"]

ATTEMPTS_MAX = 8
"""Failed requests in a row before a sweep has failed; with the back-off about four minutes."""
DELAY_SECONDS_MIN = 2.0
DELAY_SECONDS_MAX = 120.0

_SWEEPS = UUID("d3b1d0f2-6f0e-5f53-9a68-5e8f4b4c8a11")

Step = Literal["events", "payment_intents", "charges", "refunds", "payments", "open", "end"]
STEPS: tuple[Step, ...] = ("events", "payment_intents", "charges", "refunds", "payments", "open")
"""Parts of a sweep, in order.

`payments` looks for our payments that Stripe does not have, `open` compares again what earlier sweeps found.
"""


class SweepDelayedError(Exception):
    """A request that may succeed later."""

    def __init__(self, reason: str, *, retry_after_seconds: float = 0.0) -> None:
        super().__init__(reason)
        self.retry_after_seconds = retry_after_seconds


class SweepRefusedError(Exception):
    """A request that Stripe refuses until a person has changed something. `status` is of HTTP."""

    def __init__(self, reason: str, *, status: int | None = None) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True, slots=True)
class RequestedSweep:
    """A request for a sweep.

    Attributes:
        slot: scheduled time; None for other triggers.
        since: read Stripe's lists from this time on; None for what no sweep has judged.
        is_dry_run: count only; publish nothing and open no exception.
    """

    sweep_id: str
    trigger: SweepTrigger
    slot: datetime | None
    requested_by: str
    requested_at: datetime
    since: datetime | None
    is_dry_run: bool


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a sweep goes on.

    Attributes:
        part: number of the group of event types, in the step `events`.
        position: in a list of Stripe; None at its beginning.
        after: last row of the previous page of our own rows; None before the first page.
    """

    step: Step = "events"
    part: int = 0
    position: Position | None = None
    after: str | None = None


@dataclass(frozen=True, slots=True)
class ActiveSweep:
    """A claimed sweep. `attempts` counts failed requests since the last page."""

    sweep_id: str
    window: Window
    is_dry_run: bool
    cursor: Cursor
    attempts: int


def sweep_id_of_slot(slot: datetime) -> str:
    """Return the id of the sweep of a slot, the same in every replica."""
    return str(uuid5(_SWEEPS, slot.isoformat()))


def sweep_id_of_retry(failed_id: str) -> str:
    """Return the id of the sweep that tries again after a failed one, the same in every replica."""
    return str(uuid5(_SWEEPS, failed_id))


def delay_seconds(attempts: int, retry_after_seconds: float) -> float:
    """Return how long to wait after the n-th failed request in a row; at least as long as Stripe asks."""
    backoff = min(DELAY_SECONDS_MIN * 2 ** min(attempts - 1, 16), DELAY_SECONDS_MAX)
    return max(backoff, retry_after_seconds)
