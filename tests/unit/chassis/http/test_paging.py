"""Cursors are decoded as they were encoded; any other text is a 400, never a 500."""

import json
from base64 import urlsafe_b64encode

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from litestar.exceptions import ValidationException

from chassis.http.paging import PAGE_BYTES_MAX, decode_cursor, encode_cursor, page

BIGINT = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"))


def cursor_of(value: object) -> str:
    return urlsafe_b64encode(json.dumps(value).encode()).decode()


@given(st.lists(BIGINT | TEXT))
def test_position_comes_back_as_it_was_given_out(key: list[int | str]) -> None:
    assert decode_cursor(encode_cursor(key), [type(part) for part in key]) == (tuple(key) if key else ())


@given(st.text())
@example("W" * 100_000)
@example(cursor_of([1, "a", 2]))
@example(cursor_of({"a": 1}))
@example(cursor_of([True, "a"]))
@example(cursor_of([1.5, "a"]))
@example(cursor_of([None, "a"]))
@example(urlsafe_b64encode(b"[" * 100_000).decode())
@example(urlsafe_b64encode(b"[" + b"1" * 5_000 + b',"a"]').decode())
def test_garbage_is_a_validation_error(cursor: str) -> None:
    assume(cursor)
    with pytest.raises(ValidationException, match="cursor"):
        decode_cursor(cursor, [int, str])


@pytest.mark.parametrize("key", [[2**63, "a"], [-(2**63) - 1, "a"], [1, "a\0"], [1, "\ud800"]])
def test_forged_position_that_the_database_cannot_hold_is_a_validation_error(key: list[int | str]) -> None:
    with pytest.raises(ValidationException, match="cursor"):
        decode_cursor(cursor_of(key), [int, str])


@given(st.text(), st.text())
@example("a", "a\n")
def test_cursor_counts_for_its_own_question_alone(one: str, other: str) -> None:
    cursor = encode_cursor([7], ("list", one))
    assert decode_cursor(cursor, [int], ("list", one)) == (7,)
    for question in (("another list", one), *([("list", other)] if other != one else [])):
        with pytest.raises(ValidationException, match="cursor"):
            decode_cursor(cursor, [int], question)
    with pytest.raises(ValidationException, match="cursor"):
        decode_cursor(encode_cursor([7]), [int], ("list", one))


@pytest.mark.parametrize("cursor", [None, ""])
def test_no_cursor_is_the_first_page(cursor: str | None) -> None:
    assert decode_cursor(cursor, [int]) is None


@given(rows=st.lists(st.integers(0, 10**6), unique=True, max_size=60).map(sorted), limit=st.integers(1, 20))
def test_pages_together_are_the_whole_list_once(rows: list[int], limit: int) -> None:
    seen: list[int] = []
    cursor: str | None = ""
    while cursor is not None:
        after = decode_cursor(cursor, [int])
        left = [row for row in rows if after is None or row > after[0]]
        answer = page(left[: limit + 1], limit=limit, key=lambda row: [row])
        assert len(answer["items"]) <= limit
        seen += answer["items"]
        cursor = answer["next_cursor"]
    assert seen == rows


def test_page_ends_where_it_would_become_too_large_and_the_next_goes_on_there() -> None:
    rows = [{"id": number, "text": "x" * (PAGE_BYTES_MAX // 3)} for number in range(5)]
    shown = page(rows, limit=4, key=lambda row: [row["id"]])
    assert [row["id"] for row in shown["items"]] == [0, 1]
    assert decode_cursor(shown["next_cursor"], [int]) == (1,)


def test_row_larger_than_a_page_stands_alone() -> None:
    rows = [{"id": number, "text": "x" * (PAGE_BYTES_MAX + 1)} for number in range(2)]
    assert [row["id"] for row in page(rows, limit=2, key=lambda row: [row["id"]])["items"]] == [0]
