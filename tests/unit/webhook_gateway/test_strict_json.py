"""GW-12: what is JSON here, whichever of the two parsers reads it."""

import json
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from contracts.reasons import RefusalReason
from harness.exploring import explores
from webhook_gateway.domain.refused import Refused
from webhook_gateway.domain.strict_json import DEPTH_LEVELS_MAX, Document, Outline, parse

NOT_JSON = Refused(RefusalReason.BODY_NOT_JSON)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"{}", {}),
        (b' {"a": [1, true, null]} \n', {"a": [1, True, None]}),
        (b'\xef\xbb\xbf {"a": 1}', {"a": 1}),
        (b'\xef\xbb\xbf{"text": "half \\ud83d"}', {"text": "half \ud83d"}),
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (b'{"a": {"b": 1}, "a": {"c": 2}}', {"a": {"c": 2}}),
        (rb'{"text": "\u0000"}', {"text": "\x00"}),
        (rb'{"text": "half \ud83d emoji"}', {"text": "half \ud83d emoji"}),
        (rb'{"\udc00": 1, "\udc00": 2}', {"\udc00": 2}),
        (rb'{"id": 1e9, "text": "half \ud83d"}', {"id": 1e9, "text": "half \ud83d"}),
        (rb'"\ud83d\ude00"', "\U0001f600"),
        ("\U0001f600".join('""').encode(), "\U0001f600"),
        (b"18446744073709551616", 18446744073709551616),
    ],
)
def test_legal_json_is_accepted(body: bytes, value: object) -> None:
    assert parse(body) == Document(value)


@pytest.mark.parametrize(
    "body", [b"1" * 40, b"1" * 5000, b"-" + b"9" * 400_000, b"1e999", b"[1E400]", b"1e-9999"]
)
def test_number_of_any_size_is_legal(body: bytes) -> None:
    assert isinstance(parse(body), Document)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"[1,]",
        b'{"a":1,}',
        b"{'a':1}",
        b"NaN",
        b"[Infinity]",
        b"-Infinity",
        b"nul",
        b"01",
        b"1.",
        b"+1",
        b'"\x01"',
        b'"unclosed',
        b'{"a":1}x',
        b'{"a":1}{"a":1}',
        b"\xef\xbb\xbf",
        b"\xef\xbb\xbf\xef\xbb\xbf{}",
        b" \xef\xbb\xbf{}",
        b"\xff\xfe{\x00}\x00",
        b'"\xff"',
        b'"\xed\xa0\x80"',
        b'{"a":"\xc0\xaf"}',
        rb'"\x41"',
        rb'"\u00g0"',
        b'{"\xff":1}',
        b"\x00",
        b"{}\x00",
        b"/**/1",
        rb'["\ud83d", NaN]',
        rb'["\ud83d",]',
    ],
)
def test_anything_else_is_not_json(body: bytes) -> None:
    assert parse(body) == NOT_JSON


def nested(levels: int, leaf: bytes = b"1") -> bytes:
    return (
        b'{"a":[' * (levels // 2) + b"[" * (levels % 2) + leaf + b"]" * (levels % 2) + b"]}" * (levels // 2)
    )


@pytest.mark.parametrize("leaf", [b"1", rb'"\ud83d"', b'"[[[[{{{{"', rb'"\"[[["'])
def test_depth_is_counted_outside_strings_by_both_parsers(leaf: bytes) -> None:
    assert isinstance(parse(nested(DEPTH_LEVELS_MAX, leaf)), Document)
    assert parse(nested(DEPTH_LEVELS_MAX + 1, leaf)) == NOT_JSON


def test_many_shallow_containers_are_legal() -> None:
    assert isinstance(parse(b"[" + b"{}," * 10_000 + b"[]]"), Document)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 500_000,
        b'{"a":' * 100_000,
        b"]" * 500_000,
        b'\\"' * 250_000,
        b'["' * 250_000,
        b"[]" * 65 + b'\\"' * 250_000,
    ],
)
@pytest.mark.timeout(5)
def test_hostile_half_megabyte_is_refused_quickly(body: bytes) -> None:
    assert parse(body) == NOT_JSON


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters()), inner, max_size=4),
    max_leaves=15,
)


@explores(5_000)
@given(value=json_values, ascii_only=st.booleans())
def test_what_the_standard_library_writes_is_read_back(value: object, ascii_only: bool) -> None:
    body = json.dumps(value, ensure_ascii=ascii_only).encode(errors="surrogatepass")
    try:
        body.decode()
    except UnicodeDecodeError:
        assert parse(body) == NOT_JSON
    else:
        read = parse(body)
        assert isinstance(read, Document)
        if not _holds_more_than_64_bits(body):
            assert read.value == json.loads(body)


def _holds_more_than_64_bits(body: bytes) -> bool:
    return re.search(rb"[0-9]{19}", body) is not None


fragments = st.sampled_from(
    [
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b'"',
        b'"a"',
        b"1",
        b"-",
        b".",
        b"e",
        b"0",
        b"true",
        b"null",
        b"NaN",
        b" ",
        b"\n",
        b"\\",
        b"\\u",
        b"d83d",
        b"\xff",
        b"\xc3\xa9",
        b"\x00",
        b"\x7f",
    ]
)


@explores(20_000)
@given(body=st.lists(fragments, max_size=12).map(b"".join) | st.binary(max_size=30))
@example(b'"\\ud83d"')
def test_both_parsers_agree_on_what_is_json(body: bytes) -> None:
    """The fast path is an optimisation only: the same verdict as the slow one, on anything."""
    ours = isinstance(parse(body), Document)
    assert ours == _is_json_to_the_standard_library(body)


def _is_json_to_the_standard_library(body: bytes) -> bool:
    def refuse(name: str) -> None:
        raise ValueError(name)

    try:
        json.loads(body.decode(), parse_constant=refuse)
    except ValueError:
        return False
    return True


# --- outlines: what is not asked for is checked, and left out ----------------------------------------


@pytest.mark.parametrize(
    ("pointers", "value"),
    [
        ([("id",)], {"id": 1}),
        ([("data", "id")], {"data": {"id": 2}}),
        ([("data", "id"), ("data",)], {"data": {"id": 2, "more": [3]}}),
        ([("data", "more", "0")], {"data": {"more": [3]}}),
        ([("0",)], {"id": 1, "data": {"id": 2, "more": [3]}, "null": None}),
        ([("null", "id")], {"null": None}),
        ([("nothing", "id")], {}),
        ([()], {"id": 1, "data": {"id": 2, "more": [3]}, "null": None}),
        ([], {}),
    ],
)
def test_outline_says_what_is_kept(pointers: list[tuple[str, ...]], value: object) -> None:
    body = b'{"id":1,"data":{"id":2,"more":[3]},"null":null}'
    assert parse(body, Outline(pointers)) == Document(value)


@pytest.mark.parametrize(
    "body", [b'{"data":3,"id":1}', b"[1]", b'"text"', b"3", rb'{"id":1,"half":"\ud83d"}']
)
def test_outline_that_does_not_fit_leaves_nothing_out(body: bytes) -> None:
    assert parse(body, Outline([("data", "id")])) == parse(body)


@pytest.mark.parametrize(
    "body", [b'{"id":1,"x":01}', b'{"id":1,"x":NaN}', b'{"id":1,"x":"\x01"}', b'{"id":1,}']
)
def test_what_is_left_out_has_to_be_json_too(body: bytes) -> None:
    assert parse(body, Outline([("id",)])) == NOT_JSON


def test_depth_counts_where_nothing_is_kept_too() -> None:
    deep = b"[" * (DEPTH_LEVELS_MAX + 1) + b"]" * (DEPTH_LEVELS_MAX + 1)
    assert parse(b'{"id":1,"x":' + deep + b"}", Outline([("id",)])) == NOT_JSON
