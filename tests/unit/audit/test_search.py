"""Words and phrases of the search, and what the index may leave out (AU-5)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.domain.search import Term, lexemes_of, matches, terms_of, words_of

INTENT = "stripe.payment_intent.succeeded"
UUID = "0197f3a0-7c1e-7d52-9f64-3b0c5a8e21d7"

texts = st.text(alphabet="aAbB19-_.: \x01é", max_size=30)


@pytest.mark.parametrize(
    ("phrase", "field", "expected"),
    [
        ("payment_intent", INTENT, True),
        ("PAYMENT int", INTENT, True),
        ("intent.payment", INTENT, False),
        ("ayment", INTENT, False),
        ("stripe intent", INTENT, False),
        (UUID, UUID.upper(), True),
        (UUID[:8], UUID, True),
        (UUID[-12:], UUID, True),
        (UUID[-11:], UUID, False),
        ("evt_1P", "evt_1PqR", True),
        ("sms:kim", "sms:kim", True),
        ("café", "le café", True),
        ("caf", "le café", True),
    ],
)
def test_phrase_is_words_in_order_and_the_last_one_a_beginning(
    phrase: str, field: str, expected: bool
) -> None:
    assert matches(words_of(phrase), [None, field]) == expected


def test_phrase_stays_within_one_field() -> None:
    assert not matches(words_of("created booking"), ["booking.created", "booking"])


@given(texts, st.lists(texts, max_size=3))
def test_index_leaves_out_no_match(text: str, fields: list[str]) -> None:
    phrase = words_of(text)
    if phrase and matches(phrase, fields):
        lexemes = lexemes_of(fields)
        assert all(is_met(term, lexemes) for term in terms_of(phrase))


@given(st.from_regex(r"[0-9a-f]{1,13}", fullmatch=True), st.from_regex("[0-9a-z]{0,4}", fullmatch=True))
def test_index_leaves_out_no_beginning_of_an_id(beginning: str, rest: str) -> None:
    assert all(is_met(term, lexemes_of([beginning + rest])) for term in terms_of([beginning]))


def is_met(term: Term, lexemes: set[str]) -> bool:
    if term.is_prefix:
        return any(lexeme.startswith(term.lexeme) for lexeme in lexemes)
    return term.lexeme in lexemes


@pytest.mark.parametrize(
    ("phrase", "indexed"),
    [
        (UUID, {"0197f3a0", "3b0c5a8e21d7"}),
        ("dead letter", {"dead", "letter"}),
        ("7c1e", set[str]()),
        ("bad", set[str]()),
        ("kim", {"kim"}),
        ("pi", set[str]()),
        ("x" * 100, {"x" * 64}),
    ],
)
def test_index_is_asked_for_words_that_few_blocks_have(phrase: str, indexed: set[str]) -> None:
    assert {term.lexeme for term in terms_of(words_of(phrase))} == indexed
