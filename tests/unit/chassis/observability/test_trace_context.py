"""`traceparent` is taken over only if it is well-formed (W3C Trace Context §3.2)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.observability import trace_context

SOUND = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_sound_one_is_taken_over_and_names_its_trace() -> None:
    taken = trace_context.read([SOUND])
    assert taken == SOUND.decode()
    assert trace_context.trace_id(taken) == "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize(
    "values",
    [
        [],
        [SOUND, SOUND],
        [SOUND.upper()],
        [SOUND + b"-more"],
        [SOUND + b"\n"],
        [b"ff" + SOUND[2:]],
        [b"00-" + b"0" * 32 + SOUND[35:]],
        [SOUND[:36] + b"0" * 16 + b"-01"],
        [SOUND[:-1]],
        ["00-٣bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".encode()],
    ],
)
def test_any_other_begins_a_trace(values: list[bytes]) -> None:
    assert trace_context.read(values) is None


@given(st.lists(st.binary()))
def test_any_bytes_are_read_without_an_error(values: list[bytes]) -> None:
    taken = trace_context.read(values)
    assert taken is None or values == [taken.encode()]


def test_new_ones_are_sound_unrecorded_and_differ() -> None:
    first, second = trace_context.new(), trace_context.new()
    assert trace_context.checked(first) == first != second
    assert first.endswith("-00")


def test_current_one_holds_inside_its_block_only() -> None:
    assert trace_context.current() is None
    with trace_context.Carried(SOUND.decode()):
        assert trace_context.current() == SOUND.decode()
    assert trace_context.current() is None
