"""Whether a message that fails by itself is to blame for it. Pure."""

from chassis.consuming.limits import Limits
from chassis.consuming.partition_queue import Entry


def is_to_blame(entry: Entry, limits: Limits, *, is_alone: bool) -> bool:
    """Return whether the next failure of a held message may set it aside.

    Args:
        entry: the held message.
        limits: how many attempts each proof asks for, with the one that comes.
        is_alone: there is no other message to compare it with, and none was set aside like this since the
            last success: a second one would look like something that all of them need.
    """
    attempt = entry.failures + 1
    if not entry.failures or attempt < limits.suspect_attempts_max:
        return False
    if entry.others_applied:
        return True
    # A weak proof, and late: where few messages have effects, a strong one may never come.
    if entry.others_passed and attempt >= limits.unproven_attempts_max:
        return True
    return is_alone and attempt >= limits.lone_attempts_max
