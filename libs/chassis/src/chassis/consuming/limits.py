"""The limits of consuming, and how long to wait before which attempt (design rule 10)."""

from dataclasses import dataclass

BACK_OFF_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0)
"""Wait after failed attempt 1, 2, 3…; the last one repeats."""

PROBE_SECONDS = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Wait before probe 1, 2, 3… of an open breaker; the last one repeats."""

IN_USE_SECONDS = 0.5
"""Before a message is tried again whose line somebody else works on, as a replay does."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one consumer may hold, and when it gives up on what.

    Attributes:
        batch_messages_max, batch_bytes_max: applied in one transaction; a larger message goes alone.
        partition_messages_max: kept of one partition, those included that wait only to be committed in order.
        buffer_bytes_max: kept of all partitions; each assigned one may use an equal part.
        bug_attempts_max: a message that fails for a reason nobody foresaw is tried at least so often.
        lone_attempts_max: a held message with nothing to compare it with is set aside after so many, if none
            was before it since the last success.
        unproven_attempts_max: a held message is set aside after so many, if others passed meanwhile, though
            none of them had an effect.
        transient_attempts_max: after so many failures in a row for passing reasons a batch is made smaller,
            or its only message held.
        row_failures_max: so many messages that fail one after the other open the breaker.
        window_messages, window_failures_min: so many failures among the last messages open it too.
        halt_seconds: a partition without room for its dead letters, or a message that could not be set aside,
            is tried again after this.
    """

    batch_messages_max: int = 500
    batch_bytes_max: int = 8 * 1024 * 1024
    partition_messages_max: int = 1_000
    buffer_bytes_max: int = 48 * 1024 * 1024
    bug_attempts_max: int = 3
    lone_attempts_max: int = 6
    unproven_attempts_max: int = 30
    transient_attempts_max: int = 3
    row_failures_max: int = 10
    window_messages: int = 200
    window_failures_min: int = 100
    halt_seconds: float = 5.0


def back_off_seconds(attempts: int) -> float:
    """How long to wait after so many failed attempts, at least 1."""
    return BACK_OFF_SECONDS[min(attempts, len(BACK_OFF_SECONDS)) - 1]


def probe_seconds(probes: int) -> float:
    """How long an open breaker waits after so many probes that failed."""
    return PROBE_SECONDS[min(probes, len(PROBE_SECONDS) - 1)]
