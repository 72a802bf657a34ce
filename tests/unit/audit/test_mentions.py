"""A person is found in bodies however the text is written, and nobody else is (AU-6)."""

import json
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from audit.__main__ import cli
from audit.domain.erasure import needs_search, stored_subjects
from audit.domain.mentions import mentions, pattern_of
from chassis.process.command_line import CommandError

PHONE = "+15550001111"


def found(subject: str, body: bytes) -> bool:
    return mentions(body, [pattern_of(subject)])


@pytest.mark.parametrize(
    ("subject", "body"),
    [
        (PHONE, b'{"from": "+15550001111"}'),
        (PHONE, b'{"from": "1 (555) 000-1111"}'),
        (PHONE, b'{"from": "1.555.000.1111", "n": 1}'),
        ("1 555 000 1111", b'{"from": "+15550001111"}'),
        (PHONE, b'{"from": "1\\u00a0555\\u2011000\\u20111111"}'),
        (PHONE, '{"from": "\u202a+1\u00b7555\u200b000\u22121111\u202c"}'.encode()),
        (PHONE, '{"from": "\u0661\u0665\u0665\u0665 \uff10\uff10\uff10 1111"}'.encode()),
        ("\u202a+1 555\u2011000\u20111111\u202c", b'{"from": "+15550001111"}'),
        (PHONE, b'{"from": "\\u002b1555000\\u00201111"}'),
        (PHONE, b'{"from": 15550001111}'),
        (PHONE, b"from +15550001111, no JSON \\"),
        ("jane@example.org", b'{"email": "Jane@Example.ORG"}'),
        ("jane@example.org", b'{"text": "write to <jane@example.org>."}'),
        ("Zoë Roe", '{"name": "ZOË ROE"}'.encode()),
        ("Zoë Roe", b'{"name": "Zo\\u00eb Roe"}'),
        ("Zoe\u0308 Roe", '{"name": "Zoë Roe"}'.encode()),
        ("jane", b'{"jane": 1}'),
        ("jane", json.dumps({"nested": json.dumps({"name": "jane"})}).encode()),
        ("jane", b"\xff\xfe jane \xff"),
    ],
)
def test_subject_is_found(subject: str, body: bytes) -> None:
    assert found(subject, body)


@pytest.mark.parametrize(
    ("subject", "body"),
    [
        (PHONE, b'{"from": "+155500011110"}'),
        (PHONE, b'{"from": "+5550001111"}'),
        (PHONE, b'{"a": "1555", "b": "0001111"}'),
        ("jane@example.org", b'{"email": "mary.jane@example.org"}'),
        ("jane@example.org", b'{"email": "jane@example.org.uk"}'),
        ("Ann", b'{"name": "Joanna, Hannah, Ann-Marie"}'),
        ("jane", b""),
    ],
)
def test_somebody_else_is_not_found(subject: str, body: bytes) -> None:
    assert not found(subject, body)


def test_subject_is_found_in_a_record_that_was_no_event() -> None:
    def base64(content: bytes) -> str:
        return b64encode(content).decode()

    record = {"key": base64(b"k"), "headers": [["ce_subject", base64(b"+15550001111")]], "value": ""}
    assert found(PHONE, json.dumps(record).encode())
    inner = json.dumps({"text": "Zoë"}).encode()
    record = {"key": "", "headers": [["x", "?"]], "value": base64(inner)}
    assert found("zoë", json.dumps(record).encode())


@given(st.binary(max_size=200), st.text(min_size=1, max_size=20).filter(str.strip))
def test_any_body_and_subject_are_compared_without_an_error(body: bytes, subject: str) -> None:
    found(subject, body)
    found(subject, b'{"headers": 1, "value": "\\u0041' + body)


@given(st.text(min_size=1, max_size=30).filter(str.strip))
def test_subject_is_found_as_json_writes_it(subject: str) -> None:
    assert found(subject, json.dumps({"text": subject.strip()}).encode())


def test_only_a_bookings_id_is_not_searched_for() -> None:
    booking_id = "0192F0C1-2D3E-7A4B-8C5D-6E7F80910213"
    assert not needs_search([booking_id])
    assert needs_search([booking_id, PHONE])
    assert booking_id.lower() in stored_subjects([booking_id])


def test_one_character_erases_nothing() -> None:
    refused = CliRunner().invoke(cli, ["erase", "--subject", "jane", "--subject", "x"])
    assert isinstance(refused.exception, CommandError)
    assert "one character" in str(refused.exception)
