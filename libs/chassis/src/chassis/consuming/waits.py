"""Keys that wait for a lock of another session, in words for readiness."""

import re
from collections.abc import Sequence
from datetime import timedelta

from chassis import clock
from chassis.consuming.partition_queue import Entry

KEYS_TOLD_MAX = 3

_ID = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9_:-]{1,80}")
"""An id by its form. Another key may be a phone number or a name, and is not told."""


def describe_waits(entries: Sequence[Entry], now: float) -> str:
    """Return which keys wait for what, and since when; empty without entries.

    Args:
        entries: put off, the longest first.
        now: monotonic, in seconds, as the entries have it.
    """
    if not entries:
        return ""
    told = [_describe(entry, now) for entry in entries[:KEYS_TOLD_MAX]]
    more = f"; and {len(entries) - KEYS_TOLD_MAX} more" if len(entries) > KEYS_TOLD_MAX else ""
    return f"put off, others are applied: {'; '.join(told)}{more}"


def _describe(entry: Entry, now: float) -> str:
    message = entry.message
    key = message.key.decode(errors="replace")
    named = f"key {key}" if _ID.fullmatch(key) else "a key that is no id"
    since = clock.now() - timedelta(seconds=now - entry.in_use_since)
    where = f"{message.topic}/{message.partition} offset {message.offset}"
    return f"{named} of {where} waits for: {entry.error}, since {since:%Y-%m-%dT%H:%M:%SZ}"
