"""Bulk operations: one step on many exceptions, planned, applied and taken back as one thing (REC-9b).

```
   planned ──apply──▶ applying ──▶ applied ──revert──▶ reverting ──▶ reverted
                          │                                ▲
                          └────────────revert──────────────┘
```

An operation whose own row cannot be worked with ends as `failed`; the steps that it took can be taken back.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hmac import compare_digest
from typing import Literal

from contracts.money import Money
from reconciler.domain.exceptions import PersonsResolution
from reconciler.domain.filters import ExceptionFilter

Action = Literal["acknowledge", "assign", "resolve", "reopen", "suppress", "comment"]
ACTIONS: tuple[Action, ...] = ("acknowledge", "assign", "resolve", "reopen", "suppress", "comment")

OperationStatus = Literal["planned", "applying", "applied", "reverting", "reverted", "failed"]
OPERATION_STATUSES: tuple[OperationStatus, ...] = (
    "planned",
    "applying",
    "applied",
    "reverting",
    "reverted",
    "failed",
)

Outcome = Literal["pending", "stepped", "unchanged", "refused", "reverted", "not_reverted"]
OUTCOMES: tuple[Outcome, ...] = ("pending", "stepped", "unchanged", "refused", "reverted", "not_reverted")

ITEMS_MAX = 10_000
"""Exceptions of one operation. A larger selection is refused as a whole, never cut."""

TOKEN_LIFE = timedelta(minutes=15)
"""From a dry run to the latest time at which it may be applied."""


class OperationRefusedError(ValueError):
    """The operation cannot be applied or taken back; the message says why and what to do.

    Attributes:
        kind: the problem's type: `count-changed`, `selection-token-invalid`, `selection-token-expired`,
            `selection-too-large` or `operation-not-applied`.
        count: exceptions selected now, where it is about their number.
    """

    def __init__(self, message: str, *, kind: str, count: int | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.count = count


@dataclass(frozen=True, slots=True)
class Selection:
    """The exceptions of an operation: by id, or by a filter. Exactly one of the two is given."""

    ids: tuple[str, ...] | None = None
    query: ExceptionFilter | None = None


@dataclass(frozen=True, slots=True)
class StepArguments:
    """Arguments of the single step; those that its action does not take are None.

    Attributes:
        up_to, beyond: sizes in minor units, bare or with the currency.
    """

    assignee: str | None = None
    resolution: PersonsResolution | None = None
    up_to: int | Money | None = None
    until: datetime | None = None
    beyond: int | Money | None = None
    occurrences: int | None = None


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """What a person wants to do to each exception of a selection.

    Attributes:
        text: the reason, or the comment's text; empty if none was given, or it was erased.
    """

    action: Action
    arguments: StepArguments
    text: str
    by: str


@dataclass(frozen=True, slots=True)
class Token:
    """What proves that a caller has seen a dry run."""

    sha256: bytes
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class OperationState:
    """An operation as its rules decide about it."""

    id: str
    status: OperationStatus
    by: str
    token: Token | None


@dataclass(frozen=True, slots=True)
class Selected:
    """What a selection amounts to.

    Attributes:
        sums: signed amounts in minor units, by currency.
        without_amount: exceptions whose amount or currency is unknown.
    """

    count: int
    sums: Mapping[str, int] = field(default_factory=dict[str, int])
    without_amount: int = 0


def starts(operation: OperationState, *, by: str, token_sha256: bytes, at: datetime) -> bool:
    """Return True if applying starts the operation, False if the same request has started it before.

    Raises:
        OperationRefusedError: the token is not this operation's or its caller's, or too old.
    """
    token = operation.token
    if token is None or operation.by != by or not compare_digest(token.sha256, token_sha256):
        message = "selection_token: not of this operation and caller; make a dry run of your own"
        raise OperationRefusedError(message, kind="selection-token-invalid")
    if operation.status != "planned":
        return False
    if at >= token.expires_at:
        message = (
            f"selection_token: too old since {token.expires_at:%Y-%m-%dT%H:%M:%SZ}; make a dry run again"
        )
        raise OperationRefusedError(message, kind="selection-token-expired")
    return True


def require_count(selected: int, expected: int) -> None:
    """Check that a selection is still as large as the caller has seen it.

    Raises:
        OperationRefusedError: it is not, or it is larger than an operation may be.
    """
    require_size(selected)
    if selected != expected:
        message = f"expected_count: {expected} expected, {selected} selected now; make a dry run again"
        raise OperationRefusedError(message, kind="count-changed", count=selected)


def require_size(selected: int) -> None:
    """Check that a selection is not larger than an operation may be.

    Raises:
        OperationRefusedError: it is.
    """
    if selected > ITEMS_MAX:
        message = f"the selection has more than {ITEMS_MAX} exceptions; narrow the filter"
        raise OperationRefusedError(message, kind="selection-too-large")


def starts_to_revert(operation: OperationState) -> bool:
    """Return True if the operation is to be taken back, False if it is being taken back already.

    Raises:
        OperationRefusedError: it was never applied.
    """
    if operation.status == "planned":
        message = "revert: the operation was planned and never applied"
        raise OperationRefusedError(message, kind="operation-not-applied")
    return operation.status not in ("reverting", "reverted")
