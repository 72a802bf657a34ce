"""Status history: one transition per booking and version, without gaps (AU-2, BK-4).

The version gives the order, never a clock (design rule 5).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from audit.domain.events import BOOKING, Event, PayloadError, read_payload
from audit.domain.identifiers import booking_identifier, identifier
from contracts.text import sanitize_for_postgres
from contracts.times import TimeError, parse_time

MISSING_VERSIONS_SHOWN_MAX = 100
"""A response names at most this many missing versions."""

_VERSION_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Transition:
    """One status transition, as booking recorded it.

    Attributes:
        version: 1, 2, 3… per booking. The creation is 1 and has no `from_status`.
        reason, metadata: may hold personal data; only `event_payload` stores them (AU-6).
        recorded_at: by booking's database clock.
    """

    booking_id: str
    version: int
    from_status: str | None
    to_status: str
    changed_by: str
    reason: str | None
    metadata: dict[str, str]
    recorded_at: datetime


def transition_of(event: Event) -> Transition | None:
    """Return the transition that an event reports; None for other events.

    Raises:
        PayloadError: the payload breaks its contract.
    """
    if event.source != BOOKING or event.type not in _READERS:
        return None
    return _READERS[event.type](read_payload(event.body))


def read_transition(event_type: str, body: bytes) -> Transition:
    """Return the transition in the body of a `booking.created` or `booking.status-changed`.

    Raises:
        PayloadError: the body breaks its contract.
    """
    return _READERS[event_type](read_payload(body))


def _creation(payload: Mapping[str, object]) -> Transition:
    return _transition(payload, from_status=None, to_status=_text(payload, "status"))


def _change(payload: Mapping[str, object]) -> Transition:
    from_status, to_status = _text(payload, "from_status"), _text(payload, "to_status")
    return _transition(payload, from_status=from_status, to_status=to_status)


_READERS = {"booking.created": _creation, "booking.status-changed": _change}


def _transition(payload: Mapping[str, object], *, from_status: str | None, to_status: str) -> Transition:
    reason, metadata = payload.get("reason"), payload.get("metadata")
    return Transition(
        booking_id=booking_identifier(_text(payload, "booking_id")),
        version=_version(payload),
        from_status=from_status,
        to_status=to_status,
        changed_by=_text(payload, "changed_by"),
        reason=sanitize_for_postgres(reason) if isinstance(reason, str) else None,
        metadata=_texts(metadata),
        recorded_at=_moment(payload, "recorded_at"),
    )


def gap_free(versions: Sequence[int]) -> int:
    """Return the number of ascending versions 1, 2, 3… before the first gap."""
    length = 0
    while length < len(versions) and versions[length] == length + 1:
        length += 1
    return length


def missing_versions(versions: Sequence[int]) -> list[int]:
    """Return the first MISSING_VERSIONS_SHOWN_MAX versions that are missing between ascending ones."""
    missing: list[int] = []
    expected = 1
    for version in versions:
        room = MISSING_VERSIONS_SHOWN_MAX - len(missing)
        missing.extend(range(expected, min(version, expected + room)))
        expected = version + 1
    return missing


def _text(payload: Mapping[str, object], name: str) -> str:
    value = payload.get(name)
    if not isinstance(value, str) or not value:
        raise PayloadError(f"the payload's {name} is missing or no text")
    return identifier(value)


def _version(payload: Mapping[str, object]) -> int:
    value = payload.get("version")
    if type(value) is not int or not 1 <= value <= _VERSION_MAX:
        raise PayloadError("the payload's version is not a whole number from 1 on")
    return value


def _moment(payload: Mapping[str, object], name: str) -> datetime:
    try:
        return parse_time(_text(payload, name))
    except TimeError as error:
        raise PayloadError(f"the payload's {name} is not an RFC 3339 time") from error


def _texts(value: object) -> dict[str, str]:
    """Return the text members of a JSON object."""
    if not isinstance(value, dict):
        return {}
    members = cast("dict[str, object]", value)
    return {
        sanitize_for_postgres(name): sanitize_for_postgres(text)
        for name, text in members.items()
        if isinstance(text, str)
    }
