"""Signature headers: the short way to read an ordinary one says what the long way says."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness.exploring import explores
from unit.webhook_gateway.signed_deliveries import signed_headers
from webhook_gateway.domain.verification import SCHEMES, Scheme, templates

NAMES = sorted(SCHEMES)
WRITTEN = [dict(signed_headers(SCHEMES[name]))[SCHEMES[name].signature_header.encode()] for name in NAMES]
PIECES = (b",", b";", b" ", b"=", b"t=", b"v1=", b"ts=", b"h1=", b"1795435200", b"0", b"A", b"\x00", b"\n")


def short(scheme: Scheme, value: bytes, timestamp: bytes) -> object:
    try:
        return templates.read_signatures(scheme, value, timestamp)
    except templates.MalformedHeaderError:
        return "malformed"


def long(scheme: Scheme, value: bytes, timestamp: bytes) -> object:
    try:
        form = templates.compile_scheme(scheme)
        return templates._read_items(scheme, form, value, timestamp)  # pyright: ignore[reportPrivateUsage]
    except templates.MalformedHeaderError:
        return "malformed"


@pytest.mark.parametrize(("name", "value"), list(zip(NAMES, WRITTEN, strict=True)), ids=NAMES)
def test_every_scheme_is_read_the_short_way(name: str, value: bytes) -> None:
    ordinary = templates.compile_scheme(SCHEMES[name]).ordinary
    assert ordinary is not None
    assert ordinary.fullmatch(value)


@explores(20_000)
@given(
    name=st.sampled_from(NAMES),
    parts=st.lists(st.sampled_from(WRITTEN) | st.sampled_from(PIECES), max_size=4),
    cut=st.integers(0, 12),
)
@example(name="stripe", parts=[WRITTEN[NAMES.index("stripe")], b",", b"v1=" + b"0" * 64], cut=0)
@example(name="stripe", parts=[WRITTEN[NAMES.index("stripe")], b"\n"], cut=0)
def test_short_way_and_long_way_say_the_same(name: str, parts: list[bytes], cut: int) -> None:
    scheme, value = SCHEMES[name], b"".join(parts)[cut:]
    timestamp = b"1795435200" if scheme.timestamp_header else b""
    assert short(scheme, value, timestamp) == long(scheme, value, timestamp)


def test_percent_sign_in_signed_bytes_is_itself() -> None:
    scheme = SCHEMES["stripe"]
    odd = Scheme("odd", "x-odd", ("{signature}",), "100% {body}%b", scheme.encoding, scheme.key_form)
    assert templates.compile_scheme(odd).signed % {b"body": b"%(body)b"} == b"100% %(body)b%b"
