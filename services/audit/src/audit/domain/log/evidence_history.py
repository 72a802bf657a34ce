"""Completeness of the entries of a booking: numbers without a gap (AU-9).

Two counts are sealed with the entries: versions of the status history, and numbers of booking's messages
(decision 0005). Neither says what came after the last number.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

GAPS_MAX = 100
_CHANGES = frozenset({"booking.created", "booking.status-changed"})
# Whole numbers that JavaScript, too, counts without rounding.
_NUMBER_MAX = 2**53 - 1


@dataclass(frozen=True, slots=True)
class History:
    """What the numbers say.

    Attributes:
        last: greatest version of the status history; 0 without one.
        missing: versions before it that are not there, at most `GAPS_MAX`.
        contradictions: versions that are there twice, or do not begin at the status before.
        last_message, missing_messages: the same of booking's messages.
    """

    last: int
    missing: Sequence[int]
    contradictions: Sequence[int]
    last_message: int
    missing_messages: Sequence[int]


def history_of(contents: Iterable[Mapping[str, Any]]) -> History:
    """Return what the entries, as sealed, say about their completeness."""
    own = [content for content in contents if content.get("source") == "booking"]
    changes = sorted(filter(_is_change, own), key=_version)
    last, missing = _gaps([_version(change) for change in changes])
    last_message, missing_messages = _gaps([_metadata(content).get("sequence") for content in own])
    return History(last, missing, _contradictions(changes), last_message, missing_messages)


def _contradictions(changes: Sequence[Mapping[str, Any]]) -> list[int]:
    versions: list[int] = []
    version, status = 0, None
    for metadata in map(_metadata, changes):
        before, version = version, metadata["version"]
        is_next = version == before + 1
        if version == before or (is_next and metadata.get("from_status") != status):
            versions.append(version)
        to_status = metadata.get("to_status")
        status = metadata.get("status") if to_status is None else to_status
    return versions


def _is_change(content: Mapping[str, Any]) -> bool:
    return (
        content.get("event_type") in _CHANGES
        and content.get("status") == "success"
        and _is_number(_metadata(content).get("version"))
    )


def _version(content: Mapping[str, Any]) -> int:
    return _metadata(content)["version"]


def _metadata(content: Mapping[str, Any]) -> Mapping[str, Any]:
    metadata = content.get("metadata")
    return cast("dict[str, Any]", metadata) if isinstance(metadata, dict) else {}


def _is_number(value: object) -> bool:
    return type(value) is int and 0 < value <= _NUMBER_MAX


def _gaps(values: Iterable[Any]) -> tuple[int, list[int]]:
    numbers = {value for value in values if _is_number(value)}
    last = max(numbers, default=0)
    # Of the first hundred more numbers than there are, at least a hundred are missing.
    first = range(1, min(last, len(numbers) + GAPS_MAX + 1))
    return last, [number for number in first if number not in numbers][:GAPS_MAX]
