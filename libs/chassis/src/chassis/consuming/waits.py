"""Describe keys that wait for a lock of another session, for readiness."""

import re
from collections.abc import Sequence
from datetime import timedelta

from chassis import clock
from chassis.consuming.partition_queue import Entry

KEYS_REPORTED_MAX = 3

# The form of an id. Another key may be a phone number or a name, and is not reported.
_ID = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9_:-]{1,80}")


def describe_waits(entries: Sequence[Entry], now: float) -> str:
    """Return which keys wait for which lock, and since when; empty without entries.

    Args:
        entries: messages that wait, the longest first.
        now: monotonic, in seconds, as in the entries.
    """
    if not entries:
        return ""
    phrases = [_describe(entry, now) for entry in entries[:KEYS_REPORTED_MAX]]
    more = f"; and {len(entries) - KEYS_REPORTED_MAX} more" if len(entries) > KEYS_REPORTED_MAX else ""
    return f"put off, others are applied: {'; '.join(phrases)}{more}"


def _describe(entry: Entry, now: float) -> str:
    message = entry.message
    key = message.key.decode(errors="replace")
    name = f"key {key}" if _ID.fullmatch(key) else "a key that is no id"
    since = clock.now() - timedelta(seconds=now - entry.in_use_since)
    position = f"{message.topic}/{message.partition} offset {message.offset}"
    return f"{name} of {position} waits for: {entry.error}, since {since:%Y-%m-%dT%H:%M:%SZ}"
