"""Sweeps of Stripe's lists, requested and ended (REC-13)."""

from typing import Annotated

from pydantic import Field

from contracts.wire import UtcDatetime, WireModel

SWEEP_TRIGGERS = ("schedule", "retry", "api", "cli")
# Not an enum, like the types of exceptions.
SweepTrigger = Annotated[str, Field(json_schema_extra={"x-extensible-enum": list(SWEEP_TRIGGERS)})]


class SweepRequested(WireModel):
    """A sweep of Stripe's lists was requested: by the schedule, a person, or after a failed one (REC-13).

    `slot` is the scheduled time; None for other triggers. `since` is the time from which Stripe's lists are
    read; None for everything that no sweep has judged. A dry run counts and publishes nothing else.
    """

    sweep_id: str
    trigger: SweepTrigger
    slot: UtcDatetime | None
    since: UtcDatetime | None
    requested_by: str
    requested_at: UtcDatetime
    dry_run: bool


class SweepCompleted(WireModel):
    """A sweep read everything that it was to read (REC-13).

    seen = known + pending + missed (events of Stripe). `compared` counts objects of Stripe, `mismatches` the
    ones that differ from booking's payments.
    """

    sweep_id: str
    dry_run: bool
    seen: int
    known: int
    pending: int
    missed: int
    compared: int
    mismatches: int
    requests: int
    finished_at: UtcDatetime


class SweepFailed(WireModel):
    """A sweep was given up; what it published and found until then stays (REC-13). `error` is one line."""

    sweep_id: str
    dry_run: bool
    error: str
    requests: int
    finished_at: UtcDatetime
