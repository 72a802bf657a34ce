"""Commands to the exception queue: of people, of runs and reports, and of the clock (REC-8, REC-9)."""

from dataclasses import dataclass
from datetime import datetime

from reconciler.domain.exceptions import PersonsResolution, ResolutionCode, Workflow
from reconciler.domain.findings import Finding


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Take an open exception on; the person becomes its assignee."""

    by: str


@dataclass(frozen=True, slots=True)
class Assign:
    """Give the exception to a person."""

    by: str
    assignee: str


@dataclass(frozen=True, slots=True)
class Resolve:
    """Resolve the exception, or propose it where a second person is needed.

    Attributes:
        evidence: a new number; what was read before it cannot bring the exception back.
        up_to: of a resolution other than `fixed`: size in minor units up to which it holds; None means the
            present size.
        alone_up_to: size in minor units that one person may resolve alone; None without a limit.
    """

    by: str
    code: PersonsResolution
    reason: str
    evidence: int
    up_to: int | None = None
    alone_up_to: int | None = None


@dataclass(frozen=True, slots=True)
class Reopen:
    """Open an acknowledged, suppressed or resolved exception again."""

    by: str
    reason: str
    evidence: int


@dataclass(frozen=True, slots=True)
class Suppress:
    """Let the exception rest until the first of three: a time, a larger difference, more occurrences.

    `occurrences` counts from now.
    """

    by: str
    reason: str
    until: datetime | None = None
    beyond: int | None = None
    occurrences: int | None = None


@dataclass(frozen=True, slots=True)
class Comment:
    """Write a text into the exception's history."""

    by: str
    text: str


@dataclass(frozen=True, slots=True)
class Revert:
    """Take the last step of a person back.

    Attributes:
        kind: of that step.
        before: the workflow before it.
    """

    by: str
    reason: str
    kind: str
    before: Workflow
    evidence: int


@dataclass(frozen=True, slots=True)
class Seen:
    """A run or a report has seen the problem.

    Attributes:
        evidence: number taken before the read began.
    """

    finding: Finding
    evidence: int
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Gone:
    """A run or a report says that the problem is gone.

    Attributes:
        evidence: number taken before the read began.
    """

    code: ResolutionCode
    reason: str
    evidence: int
    by: str


@dataclass(frozen=True, slots=True)
class Wake:
    """The time has come to look for suppressions that have ended."""

    by: str


Command = Acknowledge | Assign | Resolve | Reopen | Suppress | Comment | Revert | Seen | Gone | Wake
PersonsCommand = Acknowledge | Assign | Resolve | Reopen | Suppress | Comment | Revert
