"""The state of an exception in the queue (REC-8, REC-9).

*Observation* is what runs and reports have seen. *Workflow* is what people have done about it. *Clock* is how
long it has waited for them.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from reconciler.domain.causes import Waiting
from reconciler.domain.classify import Severity
from reconciler.domain.findings import ExceptionType

ExceptionStatus = Literal["open", "acknowledged", "suppressed", "resolved"]
EXCEPTION_STATUSES: tuple[ExceptionStatus, ...] = ("open", "acknowledged", "suppressed", "resolved")

PersonsResolution = Literal["fixed", "accepted", "written_off", "duplicate", "false_positive"]
PERSONS_RESOLUTIONS: tuple[PersonsResolution, ...] = (
    "fixed",
    "accepted",
    "written_off",
    "duplicate",
    "false_positive",
)
"""Resolutions that a person chooses."""

ResolutionCode = PersonsResolution | Literal["not_evaluated"]
RESOLUTIONS: tuple[ResolutionCode, ...] = (*PERSONS_RESOLUTIONS, "not_evaluated")


@dataclass(frozen=True, slots=True)
class Suppression:
    """When a suppressed exception wakes: at the first of these; None does not count.

    Attributes:
        until: a time.
        beyond: a size of the difference in minor units; a larger one wakes.
        occurrences: a number of occurrences in all, not since the suppression.
    """

    until: datetime | None = None
    beyond: int | None = None
    occurrences: int | None = None


@dataclass(frozen=True, slots=True)
class Resolution:
    """How an exception was resolved.

    The reason stands in the history only, where it can be erased.

    Attributes:
        by: a person, or the service's name.
        up_to: size in minor units up to which the resolution holds when the problem is seen again; None if it
            does not hold.
    """

    code: ResolutionCode
    by: str
    at: datetime
    is_machine: bool
    up_to: int | None = None


@dataclass(frozen=True, slots=True)
class Proposal:
    """A resolution that waits for a second person (REC-9)."""

    code: PersonsResolution
    by: str
    up_to: int | None = None


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a person saw when they acknowledged or suppressed. Growth beyond it escalates (REC-8)."""

    severity: Severity
    size: int | None
    occurrences: int


@dataclass(frozen=True, slots=True)
class Workflow:
    """What people have done about an exception. A reverting step restores it as a whole."""

    status: ExceptionStatus = "open"
    assignee: str | None = None
    suppression: Suppression | None = None
    proposal: Proposal | None = None
    resolution: Resolution | None = None
    baseline: Baseline | None = None


@dataclass(frozen=True, slots=True)
class Clock:
    """Time that an exception has waited for people (REC-9c). It stands still while suppressed or waiting.

    Attributes:
        counted: until `running_since`.
        running_since: None while the clock stands still.
        acknowledged_after, resolved_after: its time at the first acknowledgement and at the resolution.
    """

    counted: timedelta = timedelta()
    running_since: datetime | None = None
    acknowledged_after: timedelta | None = None
    resolved_after: timedelta | None = None

    def read(self, at: datetime) -> timedelta:
        """Return the time counted until `at`."""
        if self.running_since is None:
            return self.counted
        return self.counted + max(at - self.running_since, timedelta())


@dataclass(frozen=True, slots=True, kw_only=True)
class ExceptionState:
    """An exception as the queue decides about it.

    Attributes:
        difference: digest of what a person sees.
        size: of the difference, in minor units of `currency`; None if unknown.
        occurrences: times that it was seen.
        revision: raised when a person would see something else.
        version: raised by every recorded step.
        evidence: number of the newest evidence about it: of a read that saw it, or of a resolution. Older
            evidence arrives late and is ignored.
        waiting: it may pass by itself; None if a person has to act.
        opened_at: when a person first had to act; None if it has only waited.
        regressions: times that it came back after a resolution.
        escalated_at: when it last grew while it was acknowledged or suppressed.
    """

    id: str
    type: ExceptionType
    booking_id: str | None
    fingerprint: str
    severity: Severity
    difference: str
    currency: str | None = None
    size: int | None = None
    occurrences: int = 1
    revision: int = 1
    version: int = 1
    evidence: int = 0
    waiting: Waiting | None = None
    opened_at: datetime | None = None
    regressions: int = 0
    escalated_at: datetime | None = None
    workflow: Workflow = Workflow()
    clock: Clock = Clock()

    @property
    def status(self) -> ExceptionStatus:
        return self.workflow.status
