"""Decide whether a message that fails alone is to blame for its failure. Pure."""

from chassis.consuming.limits import Limits
from chassis.consuming.partition_queue import Entry


def is_to_blame(entry: Entry, limits: Limits, *, is_alone: bool) -> bool:
    """Return whether the next failure of a blocked message may set it aside.

    Args:
        entry: the blocked message.
        limits: attempts that each proof requires, including the next one.
        is_alone: there is no other message to compare with, and no message was set aside for this reason
            since the last success. A second one would rather indicate a failure of something that all
            messages need.
    """
    attempt = entry.failures + 1
    if not entry.failures or attempt < limits.suspect_attempts_max:
        return False
    if entry.others_applied:
        return True
    # A weak proof needs more attempts. Where few messages have effects, a strong proof may never come.
    if entry.others_passed and attempt >= limits.unproven_attempts_max:
        return True
    return is_alone and attempt >= limits.lone_attempts_max
