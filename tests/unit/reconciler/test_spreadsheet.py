"""CSV of exceptions: a spreadsheet executes no cell, and a reader gets every text back."""

import csv
import io
from random import Random

import pytest

from reconciler.domain.spreadsheet import escape, to_csv

STARTS = "=+-@\t\r\n＝＋－＠"  # noqa: RUF001 - the full-width forms are meant
PIECES = (*STARTS, " ", "\u200b", "\ufeff", "a", "1", '"', "'", ",", ";", "\r\n", "HYPERLINK(", "é", "💸")
SEED = 17


@pytest.mark.parametrize("start", [*STARTS, " =", "\u200b=", "\ufeff +", "\xa0@"])
def test_formula_begins_with_an_apostrophe(start: str) -> None:
    assert escape(f"{start}1+1") == f"'{start}1+1"


@pytest.mark.parametrize("text", ["", "132.00 USD", "a=1", "'a", "1-1"])
def test_other_text_stays_as_it_is(text: str) -> None:
    assert escape(text) == text


def test_every_text_comes_back_and_none_is_executed() -> None:
    random = Random(SEED)
    for _ in range(2000):
        texts = ["".join(random.choices(PIECES, k=random.randrange(6))) for _ in range(4)]
        numbers = [random.choice([-5, 0, 10**20])]
        [row] = csv.reader(io.StringIO(to_csv([[*texts, *numbers, None, True]]), newline=""), strict=True)
        assert row == [escape(text) for text in texts] + [str(number) for number in numbers] + ["", "true"]
        for text, cell in zip(texts, row, strict=False):
            assert cell in (text, f"'{text}")
            assert not cell.startswith(tuple(STARTS))
            assert not cell.lstrip(" \t\r\n\u200b\ufeff\xa0").startswith(tuple(STARTS))


def test_numbers_are_bare_and_texts_quoted() -> None:
    assert to_csv([["-5", -5, None]]) == '"\'-5",-5,""\r\n'
