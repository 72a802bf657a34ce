import unicodedata

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from booking.domain.replies import YES, is_yes

_PUNCTUATION = st.characters(categories=("Pc", "Pd", "Pe", "Pf", "Pi", "Po", "Ps"))
_BLANKS = st.sampled_from(" \t\n\r\u00a0\u2003\u3000\u202f\u2028")
_INVISIBLE = st.sampled_from("\u200b\u200c\u200d\u2060\ufeff\u00ad\u180e\ufe0f\u034f\u3164\u2800\0\u0007")
_THUMBS = st.sampled_from(["\U0001f44d", "\U0001f44d\U0001f3fd", "\U0001f44d\ufe0f"])
_DECORATION = st.lists(st.one_of(_PUNCTUATION, _BLANKS, _INVISIBLE, _THUMBS), max_size=6).map("".join)
_WORD = st.text(st.characters(categories=("L", "N")), min_size=1, max_size=12)


@st.composite
def _written(draw: st.DrawFn) -> str:
    """Draw a yes in any case, wide or not, with invisible characters inside and any blank between words."""
    text = ""
    for character in draw(st.sampled_from(sorted(YES))):
        if character == " ":
            text += draw(st.lists(_BLANKS, min_size=1, max_size=3).map("".join))
            continue
        cased = draw(st.sampled_from([character, character.upper()]))
        wide = chr(ord(cased) + 0xFEE0)
        text += draw(st.sampled_from([cased, wide])) + draw(st.sampled_from(["", "\u200b", "\u00ad"]))
    return text


@given(before=_DECORATION, yes=_written(), after=_DECORATION)
def test_a_yes_stays_a_yes_with_any_decoration(before: str, yes: str, after: str) -> None:
    assert is_yes(before + yes + after)


@given(_DECORATION)
def test_decoration_alone_is_no_yes(text: str) -> None:
    assert not is_yes(text)


@given(yes=_written(), separator=st.one_of(_BLANKS, _PUNCTUATION), word=_WORD, is_behind=st.booleans())
def test_a_yes_with_another_word_is_no_yes(yes: str, separator: str, word: str, is_behind: bool) -> None:
    visible = unicodedata.normalize("NFKC", word).casefold()
    assume(any(character.isalnum() for character in visible))
    assume("\u115f" not in visible and "\u1160" not in visible)
    assume(visible != "i")
    assert not is_yes(yes + separator + word if is_behind else word + separator + yes)


@pytest.mark.parametrize(
    "text",
    [
        "yes",
        "Y",
        "ACCEPT",
        "I accept",
        "i\u00a0accept.",
        " Yes! ",
        "\u201cyes\u201d",
        "\uff39\uff25\uff33",
        "yes \U0001f44d",
        "\U0001f44d\U0001f3fd yes",
        "ye\u200bs",
        "Yes...",
        "(yes)",
        "y\u2017",
        "\U0001d432\U0001d41e\U0001d42c",
    ],
)
def test_a_whole_text_that_is_yes_accepts(text: str) -> None:
    assert is_yes(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "yes, but only the morning",
        "yes but",
        "Liked \u201cyes\u201d",
        "Liked \u201cCan you take Rex? Answer YES\u201d",
        "Loved \u201cYES\u201d",
        "yes\n> Can you take Rex?",
        "yes\n\nOn Monday Kim wrote: take Rex?",
        "> yes",
        "yes\n\nSent from my phone",
        "\U0001f44d",
        "\U0001f44e yes",
        "yes \U0001f44e",
        "yes \ud83d",
        "no",
        "not yes",
        "y/n",
        "yes yes",
        "yes/no",
        "accepted",
        "I accept that",
        "ok",
        "oui",
        "\u0443es",
        "1",
        "yes" * 100_000,
    ],
)
def test_any_other_text_accepts_nothing(text: str) -> None:
    assert not is_yes(text)
