"""Marks of rows that cannot be shown: what a person reads, and what the others keep."""

from typing import TypedDict

import pytest

from chassis.http.paging import decode_cursor, page
from chassis.postgres.stored_rows import UnreadableRow, UnreadableRowError, show_row, show_rows


class Item(TypedDict):
    """An item of a list."""

    id: str
    total: int


def show(value: dict[str, object]) -> Item:
    return {"id": str(value["id"]), "total": value["total"]}  # type: ignore[typeddict-item]


def key(value: dict[str, object]) -> str:
    return str(value["id"])


def test_row_of_another_form_is_marked_with_the_place_and_the_others_are_shown() -> None:
    values = [{"id": "a", "total": 1}, {"id": "b", "total": None}, {"id": "c"}, UnreadableRow("d", "broken")]
    assert show_rows(values, show, Item, key=key) == [
        {"id": "a", "total": 1},
        {"id": "b", "unreadable": "total: Expected int, got null"},
        {"id": "c", "unreadable": "'total'"},
        {"id": "d", "unreadable": "broken"},
    ]


def test_amount_beyond_64_bits_is_shown() -> None:
    assert show_row({"id": "a", "total": 10**30}, show, Item, key=key)["total"] == 10**30


def test_row_asked_for_by_itself_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(UnreadableRowError, match=r"row b .*total: .*restore it from a backup"):
        show_row({"id": "b", "total": "x"}, show, Item, key=key)


def test_page_goes_on_behind_the_last_row_that_has_a_place() -> None:
    rows = [UnreadableRow("a", "x", (1,)), UnreadableRow("b", "x"), UnreadableRow("c", "x", (3,))]
    shown = page(rows, limit=2, key=lambda row: row.position)
    assert [row.id for row in shown["items"]] == ["a", "b"]
    assert decode_cursor(shown["next_cursor"], [int]) == (1,)
