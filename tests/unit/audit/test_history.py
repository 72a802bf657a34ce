import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.domain.events import PayloadError
from audit.domain.history import MISSING_VERSIONS_SHOWN_MAX, gap_free, missing_versions, read_transition

CHANGED: dict[str, Any] = {
    "booking_id": "0199a000-0000-7000-8000-000000000001",
    "version": 2,
    "from_status": "pending",
    "to_status": "confirmed",
    "changed_by": "stripe",
    "reason": None,
    "metadata": {},
    "recorded_at": "2026-11-23T12:00:00Z",
}

VERSIONS = st.sets(st.integers(1, 60)).map(sorted)


@given(VERSIONS)
def test_prefix_is_one_two_three_up_to_the_first_missing_version(versions: list[int]) -> None:
    length = gap_free(versions)
    assert versions[:length] == list(range(1, length + 1))
    assert length + 1 not in versions


@given(VERSIONS)
def test_missing_are_all_versions_below_the_last_that_are_not_there(versions: list[int]) -> None:
    everything = set(range(1, (versions[-1] if versions else 0) + 1))
    assert missing_versions(versions) == sorted(everything - set(versions))


@given(VERSIONS)
def test_history_waits_exactly_if_something_is_missing(versions: list[int]) -> None:
    assert (gap_free(versions) == len(versions)) == (not missing_versions(versions))


def test_absurd_version_names_a_bounded_number_of_missing_ones() -> None:
    assert missing_versions([1, 2**62]) == list(range(2, MISSING_VERSIONS_SHOWN_MAX + 2))


def test_creation_is_version_one_from_no_status() -> None:
    created = {**CHANGED, "version": 1, "status": "pending"}
    transition = read_transition("booking.created", json.dumps(created).encode())
    assert (transition.version, transition.from_status, transition.to_status) == (1, None, "pending")


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("booking_id", None), ("booking_id", ""), ("booking_id", 7),
        ("version", None), ("version", 0), ("version", -1), ("version", True), ("version", "2"),
        ("version", 2.0), ("version", 2**63),
        ("from_status", None), ("to_status", []), ("changed_by", {}),
        ("recorded_at", "yesterday"), ("recorded_at", 0), ("recorded_at", "0001-01-01T00:00:00+14:00"),
    ],
)  # fmt: skip
def test_broken_member_is_named(member: str, value: object) -> None:
    with pytest.raises(PayloadError, match=member):
        read_transition("booking.status-changed", json.dumps({**CHANGED, member: value}).encode())


def test_status_that_a_newer_booking_service_adds_is_recorded() -> None:
    body = json.dumps({**CHANGED, "to_status": "no_show", "a_new_member": [1]}).encode()
    assert read_transition("booking.status-changed", body).to_status == "no_show"
