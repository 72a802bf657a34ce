"""What others wrote reaches a terminal as text, and cannot steer it."""

import asyncpg
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.process.terminal import in_one_line, obstacle, print_json, printable

CONTROLS = [chr(number) for number in (*range(0x20), *range(0x7F, 0xA0))]


@given(st.text(st.one_of(st.sampled_from(CONTROLS), st.characters())))
def test_no_control_character_is_left(text: str) -> None:
    shown = printable(text)
    assert not set(shown) & set(CONTROLS)
    assert printable(shown) == shown
    assert not set(printable(text, keep_lines=True)) & (set(CONTROLS) - {"\n", "\t"})


@pytest.mark.parametrize("sequence", ["\x1b[2J", "\x1b]0;title\x07", "\x9b2J", "\r", "\x7f\x08", "\u202eexe"])
def test_sequence_that_would_steer_shows_as_replacement(sequence: str) -> None:
    assert printable(f"key{sequence}") == f"key{printable(sequence)}"
    assert printable(sequence).startswith("\ufffd")


def test_lines_stay_where_they_are_wanted_and_cannot_pass_for_others_elsewhere() -> None:
    assert printable("one\r\ntwo\n\tthree", keep_lines=True) == "one\ntwo\n\tthree"
    assert printable("key\nstatus: replayed") == "key status: replayed"


def test_text_of_any_script_stays_as_it_is() -> None:
    assert printable("Zoë 預約 🛏 key-1") == "Zoë 預約 🛏 key-1"


def test_error_of_several_lines_is_told_by_its_first() -> None:
    error = asyncpg.UniqueViolationError("it is there already")
    error.detail = "Key (x)=(4711) already exists."
    assert "\n" in str(error)
    assert in_one_line(error) == "UniqueViolationError: it is there already"
    assert in_one_line(TimeoutError()) == "TimeoutError"


def test_obstacle_is_told_in_plain_words_and_a_bug_with_its_class() -> None:
    refused = ConnectionRefusedError(111, "Connect call failed ('10.0.0.7', 5432)")
    assert obstacle(refused) == "nothing listens at 10.0.0.7:5432"
    assert obstacle(asyncpg.InvalidPasswordError("password of x is wrong")) == "password of x is wrong"
    assert obstacle(TimeoutError()) == "no answer in time"
    assert obstacle(KeyError("x")) == "KeyError: 'x'"


def test_json_for_programs_says_the_same_without_a_control_character(
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    data = {"key": "".join(CONTROLS) + "Zoë 預約 🛏"}
    print_json(data)
    printed = capfdbinary.readouterr().out.decode()
    assert not set(printed.removesuffix("\n")) & set(CONTROLS)
    assert "Zoë 預約 🛏" in printed
    assert msgspec.json.decode(printed) == data
