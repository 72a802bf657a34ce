"""The header Idempotency-Key, and the digests by which a request is known again (BK-13)."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.http.idempotency.keys import CHARACTERS_MAX, parse_key, request_digest, scope_digest
from chassis.http.problems import Problem

PRINTABLE = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=CHARACTERS_MAX
)


@given(PRINTABLE)
def test_quoted_key_is_the_bare_key(key: str) -> None:
    quoted = '"' + key.replace("\\", r"\\").replace('"', r"\"") + '"'
    assert parse_key(quoted) == key
    if key.strip(" ") == key and not key.startswith('"'):
        assert parse_key(key) == key


@pytest.mark.parametrize(
    "header",
    ["", " ", '""', '"', '"k', '"a"b"', '"a" "b"', r'"a\n"', "k" * 256, f'"{"k" * 256}"', "ключ", "a\tb"],
)
def test_malformed_key_is_refused(header: str) -> None:
    with pytest.raises(Problem) as refused:
        parse_key(header)
    assert (refused.value.status_code, refused.value.kind) == (400, "malformed-idempotency-key")


SCOPES = st.tuples(
    st.sampled_from(["POST", "PATCH"]),
    st.sampled_from(["a", "b", "ab"]),
    st.sampled_from(["k", "ak", "k2"]),
    st.sampled_from(["/api/a", "/api/b", "/api/a\nb\nk\n/api/b"]),
)


@given(SCOPES, SCOPES)
def test_scope_is_method_caller_key_and_path(
    first: tuple[str, str, str, str], second: tuple[str, str, str, str]
) -> None:
    assert (scope_digest(*first) == scope_digest(*second)) is (first == second)


def test_digest_of_a_request_sees_content_and_not_spelling() -> None:
    body = {"a": 1, "b": {"c": [1, 2], "d": "é"}}
    digest = request_digest(json.dumps(body).encode(), b"")
    again = json.dumps({"b": {"d": "é", "c": [1, 2]}, "a": 1}, indent=2, ensure_ascii=False)
    assert request_digest(again.encode(), b"") == digest
    for other in ({**body, "a": "1"}, {**body, "a": True}, {"a": 1}, {**body, "b": {"c": [2, 1], "d": "é"}}):
        assert request_digest(json.dumps(other).encode(), b"") != digest
    assert len({request_digest(b"", b""), request_digest(b"", b"dry_run=true"), digest}) == 3
