"""The limits of consuming, and how long to wait before which attempt (design rule 10)."""

from dataclasses import dataclass

BACK_OFF_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0)
"""Wait after failed attempt 1, 2, 3…; the last one repeats."""

PROBE_SECONDS = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Wait before probe 1, 2, 3… of an open breaker; the last one repeats."""

STORE_PROBE_SECONDS_MAX = 5.0
"""Longest wait for a probe while the database fails: it may be back at any moment."""

IN_USE_SECONDS = (0.05, 0.1, 0.25, 0.5)
"""Wait before attempt 1, 2, 3… of a message whose row or key another session has locked; the last repeats."""

IN_USE_TOLD_SECONDS = 10.0
"""Readiness names a key that has waited for another session for so long."""

LOCK_MILLISECONDS_MAX = 50
"""`lock_timeout` of a consuming transaction: what it waits for a lock, all the messages of its batch wait."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one consumer may hold, and when it gives up on what.

    Attributes:
        batch_messages_max, batch_bytes_max: applied in one transaction; a larger message goes alone.
        partition_messages_max: kept of one partition, those included that wait only to be committed in order.
        buffer_bytes_max: kept of all partitions; each assigned one may use an equal part.
        suspect_attempts_max: a message that fails by itself is set aside by this attempt, if another message
            was applied since it first failed.
        lone_attempts_max: by this one, if there is no other message to compare it with, and none was set
            aside like this since the last success.
        unproven_attempts_max: by this one, if others passed meanwhile, though none of them had an effect.
        store_attempts_max: after so many failures of the database in a row the messages are tried apart.
        row_failures_max: so many messages that fail one after the other open the breaker.
        window_messages, window_failures_min: so many failures among the last messages open it too.
        halt_seconds: a partition without room for its dead letters, or a message that could not be set aside,
            is tried again after this.
    """

    batch_messages_max: int = 500
    batch_bytes_max: int = 8 * 1024 * 1024
    partition_messages_max: int = 1_000
    buffer_bytes_max: int = 48 * 1024 * 1024
    suspect_attempts_max: int = 3
    lone_attempts_max: int = 6
    unproven_attempts_max: int = 30
    store_attempts_max: int = 3
    row_failures_max: int = 10
    window_messages: int = 200
    window_failures_min: int = 100
    halt_seconds: float = 5.0


def back_off_seconds(attempts: int) -> float:
    """How long to wait after so many failed attempts, at least 1."""
    return BACK_OFF_SECONDS[min(attempts, len(BACK_OFF_SECONDS)) - 1]


def in_use_seconds(attempts: int) -> float:
    """How long a message waits after so many attempts in a row, at least 1, that met a lock."""
    return IN_USE_SECONDS[min(attempts, len(IN_USE_SECONDS)) - 1]


def probe_seconds(probes: int) -> float:
    """How long an open breaker waits after so many probes that failed."""
    return PROBE_SECONDS[min(probes, len(PROBE_SECONDS) - 1)]
