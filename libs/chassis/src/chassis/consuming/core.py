"""What to do after a failure: *batch size + kind of failure + attempts → action*. No clock, no I/O."""

from dataclasses import dataclass

from chassis.errors import FailureKind
from contracts.reasons import SetAsideReason

BACK_OFF_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0)
"""Wait before attempt 2, 3, …; the last one repeats."""

BUG_ATTEMPTS_MAX = 3
"""A failure that is nobody's fault we know of is tried this often before its message is set aside."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Apply the same batch again after a wait; nothing was committed."""

    after_seconds: float


@dataclass(frozen=True, slots=True)
class Isolate:
    """Apply the batch message by message, so that one bad message costs only itself."""


@dataclass(frozen=True, slots=True)
class SetMessageAside:
    """Keep the one message apart and let its offset pass."""

    reason: SetAsideReason


Action = Retry | Isolate | SetMessageAside


def after_failure(kind: FailureKind, *, messages: int, attempts: int) -> Action:
    """The next action.

    Args:
        kind: of the failure.
        messages: in the batch that failed, at least 1.
        attempts: made so far with this very batch, at least 1.
    """
    if kind is FailureKind.TRANSIENT:
        return Retry(back_off_seconds(attempts))
    if messages > 1:
        return Isolate()
    if kind is FailureKind.MALFORMED:
        return SetMessageAside(SetAsideReason.MALFORMED)
    if attempts < BUG_ATTEMPTS_MAX:
        return Retry(back_off_seconds(attempts))
    return SetMessageAside(SetAsideReason.BUG)


def back_off_seconds(attempts: int) -> float:
    """How long to wait after so many failed attempts."""
    return BACK_OFF_SECONDS[min(attempts, len(BACK_OFF_SECONDS)) - 1]
