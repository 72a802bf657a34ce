"""Text from outside is kept as PostgreSQL takes it (GW-12)."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from contracts.text import sanitize_for_postgres

TEXTS = st.text(alphabet=st.characters(codec=None) | st.just("\0") | st.sampled_from("\ud800\udfff"))


@given(TEXTS)
@example("\ufeffa\0\ud83d")
def test_any_text_becomes_fit_and_fit_text_stays(text: str) -> None:
    sanitized = sanitize_for_postgres(text)
    assert "\0" not in sanitized
    assert sanitized.encode().decode() == sanitized
    assert sanitize_for_postgres(sanitized) == sanitized
    fit = text.replace("\0", "").encode(errors="ignore").decode()
    assert sanitize_for_postgres(fit) == fit


@pytest.mark.parametrize(
    ("text", "sanitized"),
    [("a\0b", "a\ufffdb"), ("half an emoji \ud83d", "half an emoji \ufffd"), ("\udc00é", "\ufffdé")],
)
def test_each_unfit_character_is_replaced_by_one(text: str, sanitized: str) -> None:
    assert sanitize_for_postgres(text) == sanitized
