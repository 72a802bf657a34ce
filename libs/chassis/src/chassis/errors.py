"""The four kinds of failure of a consumed message (design rule 6). Each tells the shell one thing to do."""

from enum import Enum, auto

from chassis.postgres import is_transient


class MalformedMessageError(ValueError):
    """The message cannot be decoded, now or later: set it aside at once."""


class FailureKind(Enum):
    """What a failure says about trying again. A refusal by the domain is no failure but an event."""

    MALFORMED = auto()
    TRANSIENT = auto()
    BUG = auto()


def classify(error: BaseException) -> FailureKind:
    """The kind of an error raised while a batch was applied."""
    if isinstance(error, MalformedMessageError):
        return FailureKind.MALFORMED
    return FailureKind.TRANSIENT if is_transient(error) else FailureKind.BUG
