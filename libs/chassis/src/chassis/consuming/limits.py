"""Limits of a consumer, and its pauses between attempts (design rule 10)."""

from dataclasses import dataclass

BACK_OFF_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0)
"""Pause after failed attempt 1, 2, 3…; the last one repeats."""

PROBE_SECONDS = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Pause before probe 1, 2, 3… of an open breaker; the last one repeats."""

STORE_PROBE_SECONDS_MAX = 5.0
"""Longest pause before a probe while the database fails: it may recover at any moment."""

IN_USE_SECONDS = (0.05, 0.1, 0.25, 0.5)
"""Pause before attempt 1, 2, 3… of a message whose row or key is locked; the last one repeats."""

IN_USE_REPORTED_SECONDS = 10.0
"""Readiness names a key that has waited for another session for so long."""

LOCK_MILLISECONDS_MAX = 50
"""`lock_timeout` of a consuming transaction. While one message waits for a lock, its whole batch waits."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one consumer.

    Attributes:
        batch_messages_max, batch_bytes_max: of one transaction. A larger message is applied alone.
        partition_messages_max: in memory per partition, including done messages behind one that is not done.
        buffer_bytes_max: in memory for all partitions. Each assigned partition may use an equal share.
        suspect_attempts_max: the attempt that sets aside a message that fails alone, if another message was
            applied since its first failure.
        lone_attempts_max: the attempt that sets it aside if there is no other message to compare with, and
            no other was set aside for this reason since the last success.
        unproven_attempts_max: the attempt that sets it aside if others passed, but none with an effect.
        store_attempts_max: after so many failures of the database in a row, batches are bisected.
        row_failures_max: so many messages that fail in a row open the breaker.
        window_messages, window_failures_min: so many failures among the last messages open it too.
        halt_seconds: pause of a partition without room for its dead letters, or of a message that could not
            be set aside.
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
    """Return the pause after so many failed attempts, at least 1."""
    return BACK_OFF_SECONDS[min(attempts, len(BACK_OFF_SECONDS)) - 1]


def in_use_seconds(attempts: int) -> float:
    """Return the pause of a message after so many attempts in a row, at least 1, that met a lock."""
    return IN_USE_SECONDS[min(attempts, len(IN_USE_SECONDS)) - 1]


def probe_seconds(probes: int) -> float:
    """Return the pause of an open breaker after so many failed probes."""
    return PROBE_SECONDS[min(probes, len(PROBE_SECONDS) - 1)]
