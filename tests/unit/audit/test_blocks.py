"""Blocks of the search index: what they are found by, and when they may be closed (decision 0055)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from audit.domain.blocks import MARKED, Block, SettledEntries, block_lexemes, filter_terms, is_settled
from audit.domain.filters import SEARCHED, EntryFilter, Position

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
LATER = AT + timedelta(seconds=1)
FIELDS = dict.fromkeys((*MARKED, *SEARCHED), None) | {"event_type": "booking.created", "source": "booking"}


def entry(**fields: str) -> list[str | None]:
    given = FIELDS | {"status": "success"} | fields
    return [given[name] for name in (*MARKED, *SEARCHED)]


@pytest.mark.parametrize(
    ("query", "is_candidate"),
    [
        (EntryFilter(status="failed", source="sms"), True),
        (EntryFilter(status="failed", source="booking"), False),
        (EntryFilter(event_type="booking.created", status="success", source="booking"), True),
        (EntryFilter(event_type="booking.created", status="failed", source="booking"), False),
        (EntryFilter(actor="sms:kim"), True),
        (EntryFilter(actor="sms:ki"), False),
        (EntryFilter(text="created"), True),
        (EntryFilter(text="crea"), True),
        (EntryFilter(), True),
    ],
    ids=str,
)
def test_block_is_read_for_a_combination_that_one_of_its_entries_has(
    query: EntryFilter, is_candidate: bool
) -> None:
    lexemes = block_lexemes([entry(), entry(status="failed", source="sms", actor="sms:kim")])
    terms = filter_terms(query)
    met = [
        any(each.startswith(term.lexeme) for each in lexemes) if term.is_prefix else term.lexeme in lexemes
        for term in terms
    ]
    assert all(met) == is_candidate


def test_page_is_whole_once_no_unread_block_reaches_into_it() -> None:
    worst, block = Position(LATER, 7), Block(1, 2, recorded_from=AT, recorded_to=AT)
    assert is_settled(worst, block, newest_first=True)
    assert not is_settled(worst, replace(block, recorded_to=LATER), newest_first=True)
    assert not is_settled(worst, block, newest_first=False)
    after = replace(block, recorded_from=LATER + timedelta(seconds=1))
    assert is_settled(worst, after, newest_first=False)


def test_number_is_settled_when_the_writers_of_its_time_have_ended() -> None:
    settled = SettledEntries()
    assert settled.update(5, []) == 5
    assert settled.update(9, ["1/7"]) == 5
    assert settled.update(12, ["1/7", "2/3"]) == 5
    # The writer that was open when 9 was read has ended; a later one cannot get a number below 9.
    assert settled.update(20, ["2/3"]) == 9
    assert settled.update(30, ["4/4"]) == 20
    assert settled.update(31, []) == 31


def test_numbers_begin_again_on_a_server_that_lacks_the_last_entries() -> None:
    settled = SettledEntries()
    assert settled.update(100, []) == 100
    assert settled.update(90, ["1/1"]) == 0
    assert settled.update(95, []) == 95
