"""What Twilio and Square sign besides the body: the URL that was called, and a form's fields."""

import hashlib
import json
from dataclasses import replace
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from contracts.reasons import RefusalReason
from unit.webhook_gateway.signed_deliveries import BODY, NOW, PUBLIC_URL, SECRET, accepting
from webhook_gateway.domain.document import FormKind, find_challenge, read_document
from webhook_gateway.domain.identity import EventIdentity, SignedFacts, identify
from webhook_gateway.domain.refused import Refused
from webhook_gateway.domain.source import IDENTITIES
from webhook_gateway.domain.strict_json import Document, Outline
from webhook_gateway.domain.verification import (
    SCHEMES,
    CannotSignError,
    UnsignedDelivery,
    Verified,
    sign,
    verify,
)
from webhook_gateway.domain.verification.algorithms import make_hmac
from webhook_gateway.domain.verification.canonical_request import query_spellings, request_urls

TWILIO, SQUARE = SCHEMES["twilio"], SCHEMES["square"]
FORM = [(b"content-type", b"application/x-www-form-urlencoded; charset=UTF-8")]
FORM_TYPE = "application/x-www-form-urlencoded"
MISMATCH = Refused(RefusalReason.SIGNATURE_MISMATCH)


def headers_of(sending: UnsignedDelivery) -> list[tuple[bytes, bytes]]:
    return [(n.encode(), v.encode()) for n, v in sign(TWILIO, SECRET, sending).items()]


@pytest.mark.parametrize(
    ("url", "written"),
    [
        ("https://a.example/x", [b"https://a.example/x?q", b"https://a.example:443/x?q"]),
        ("https://a.example:443/x", [b"https://a.example/x?q", b"https://a.example:443/x?q"]),
        ("http://a.example/x", [b"http://a.example/x?q", b"http://a.example:80/x?q"]),
        ("https://a.example:8443/x", [b"https://a.example/x?q", b"https://a.example:8443/x?q"]),
        ("http://a.example:8080/x", [b"http://a.example:8080/x?q"]),
        ("https://[::1]/x", [b"https://[::1]/x?q", b"https://[::1]:443/x?q"]),
        ("https://[::1]:8443/x", [b"https://[::1]/x?q", b"https://[::1]:8443/x?q"]),
        ("https://me:pass@a.example/x", [b"https://a.example/x?q", b"https://a.example:443/x?q"]),
        ("https://me:p@ss@a.example:8443/x", [b"https://a.example/x?q", b"https://a.example:8443/x?q"]),
        ("http://me:pass@a.example:8080/x", [b"http://a.example:8080/x?q"]),
    ],
)
def test_url_is_known_in_every_way_in_which_twilio_writes_it(url: str, written: list[bytes]) -> None:
    assert list(request_urls(url, b"q")) == written
    assert list(request_urls(url, b"")) == [each.removesuffix(b"?q") for each in written]


@pytest.mark.parametrize(
    ("received", "signed"),
    [
        (b"Caller=sip%3A12345%40sip.example&CallSid=1", b"Caller=sip:12345@sip.example&CallSid=1"),
        (b"Caller=sip:12345@sip.example", b"Caller=sip%3A12345%40sip.example"),
        (b"at=12%3a30&to=a%40b.example", b"at=12:30&to=a@b.example"),
        (b"city=Forli'&to=a%40b", b"city=Forli'&to=a@b"),
        (b"city=Forli%27&to=a%40b", b"city=Forli'&to=a%40b"),
        (b"city=Forli%27&to=a%40b", b"city=Forli%27&to=a@b"),
        (b"at=%2Fa%3Fb%2C%28c%29%21%24%2A%3B%20d+e%26", b"at=/a?b,(c)!$*;%20d+e%26"),
        (b"at=/a?b,(c)!$*;%20d+e%26", b"at=%2Fa%3Fb%2C%28c%29%21%24%2A%3B%20d+e%26"),
    ],
)
def test_query_is_known_escaped_and_bare(received: bytes, signed: bytes) -> None:
    body = b"To=%2B1&From=%2B2"
    headers = [*headers_of(UnsignedDelivery(body, NOW, "", PUBLIC_URL, signed, FORM_TYPE)), *FORM]
    assert verify(headers, body, accepting(TWILIO), NOW, received) == Verified("twilio", None, None)


@pytest.mark.parametrize(
    ("received", "signed"),
    [
        (b"a=1%26b=2", b"a=1&b=2"),  # another field
        (b"a=%2B1", b"a=+1"),  # a plus sign, a space
        (b"a%3D1", b"a=1"),
        (b"a=%2540", b"a=%40"),
        (b"a=%62", b"a=b"),
        (b"to=a%40b", b"to=a%3Ab"),
    ],
)
def test_query_that_says_something_else_is_another_query(received: bytes, signed: bytes) -> None:
    headers = [*headers_of(UnsignedDelivery(b"To=1", NOW, "", PUBLIC_URL, signed, FORM_TYPE)), *FORM]
    assert verify(headers, b"To=1", accepting(TWILIO), NOW, received) == MISMATCH


def test_query_has_few_spellings_however_much_it_holds() -> None:
    assert query_spellings(b"a=1&b=%2B") == [b"a=1&b=%2B"]
    assert len(query_spellings(b"a=:@'/,%3A%40%27%2F%2C" * 50)) <= 11


def with_port(port: int) -> str:
    return PUBLIC_URL.replace(".com/", f".com:{port}/")


def verdict_of_twilio_form(public_url: str, signed_url: str) -> Verified | Refused:
    """Return our verdict with one URL when Twilio has signed the other."""
    text = f"{signed_url}?a=1" + "Body" + "From+2" + "To+1"
    headers = [(b"x-twilio-signature", make_hmac(TWILIO, SECRET.key, text.encode())), *FORM]
    accepted = replace(accepting(TWILIO)[0], public_url=public_url)
    return verify(headers, b"To=%2B1&From=%2B2&Body=", [accepted], NOW, b"a=1")


@pytest.mark.parametrize(
    ("public_url", "signed_url"),
    [
        (PUBLIC_URL, PUBLIC_URL),
        (PUBLIC_URL, with_port(443)),
        (with_port(443), PUBLIC_URL),
        (with_port(8443), PUBLIC_URL),
        (with_port(8443), with_port(8443)),
        (with_port(8443).replace("//", "//me:pass@"), PUBLIC_URL),
    ],
)
def test_twilio_form_verifies_whichever_way_the_port_was_written(public_url: str, signed_url: str) -> None:
    assert verdict_of_twilio_form(public_url, signed_url) == Verified("twilio", None, None)


@pytest.mark.parametrize(
    ("public_url", "signed_url"),
    [
        (PUBLIC_URL, with_port(8443)),
        (with_port(9443), with_port(8443)),
        (with_port(8080).replace("https:", "http:"), PUBLIC_URL.replace("https:", "http:")),
        (PUBLIC_URL, PUBLIC_URL.replace("//", "//me:pass@")),
    ],
)
def test_twilio_form_for_another_port_or_user_is_for_another_url(public_url: str, signed_url: str) -> None:
    assert verdict_of_twilio_form(public_url, signed_url) == MISMATCH


@pytest.mark.parametrize("signed_url", [PUBLIC_URL, with_port(443)])
def test_twilio_form_verifies_for_no_other_query_body_or_url(signed_url: str) -> None:
    sending = UnsignedDelivery(b"To=%2B1&From=%2B2&Body=", NOW, "", signed_url, b"a=1", FORM[0][1].decode())
    (accepted,) = accepting(TWILIO)
    headers = [*headers_of(sending), *FORM]
    assert isinstance(verify(headers, sending.body, [accepted], NOW, b"a=1"), Verified)
    assert verify(headers, sending.body, [accepted], NOW, b"a=2") == MISMATCH
    assert verify(headers, b"To=%2B1&From=%2B3&Body=", [accepted], NOW, b"a=1") == MISMATCH
    elsewhere = replace(accepted, public_url="https://other.example/x")
    assert verify(headers, sending.body, [elsewhere], NOW, b"a=1") == MISMATCH


@pytest.mark.parametrize(
    ("plain", "encoded"),
    [
        (b"Body=Zo\xc3\xab", b"Body=Zo%C3%AB"),
        (b"Body=\xf0\x9f\x90\x95 %C3\xab", b"Body=%F0%9F%90%95+%C3%AB"),
        (b"Body=\xff\xfe&\xc3=", b"Body=%FF%FE&%C3="),
    ],
)
def test_twilio_form_says_the_same_percent_encoded_or_not(plain: bytes, encoded: bytes) -> None:
    headers = [*headers_of(UnsignedDelivery(encoded, NOW, "", PUBLIC_URL, b"", FORM[0][1].decode())), *FORM]
    assert isinstance(verify(headers, plain, accepting(TWILIO), NOW), Verified)
    # Read as Latin-1 and written as UTF-8, the plain bytes would be these: another text.
    misread = plain.decode("latin-1").encode()
    assert verify(headers, misread, accepting(TWILIO), NOW) == MISMATCH


def test_twilio_json_is_vouched_for_by_its_digest_in_the_signed_query() -> None:
    query = b"bodySHA256=" + hashlib.sha256(BODY).hexdigest().encode()
    headers = headers_of(UnsignedDelivery(BODY, NOW, "", PUBLIC_URL, query))
    assert isinstance(verify(headers, BODY, accepting(TWILIO), NOW, query), Verified)
    assert verify(headers, BODY + b" ", accepting(TWILIO), NOW, query) == MISMATCH
    assert verify(headers, BODY, accepting(TWILIO), NOW, query + b"&" + query) == MISMATCH
    # Called a form, an empty one would add nothing to the signed URL: the digest decides all the same.
    for emptied in (b"", b"&", b"="):
        assert verify([*headers, *FORM], emptied, accepting(TWILIO), NOW, query) == MISMATCH


def test_twilio_body_that_nothing_vouches_for_is_refused_even_with_a_good_signature_of_the_url() -> None:
    # An empty form signs the URL alone: its signature must not carry a JSON body along.
    empty = UnsignedDelivery(b"", NOW, "", PUBLIC_URL, b"", FORM[0][1].decode())
    headers = headers_of(empty)
    assert isinstance(verify([*headers, *FORM], b"", accepting(TWILIO), NOW), Verified)
    assert verify(headers, BODY, accepting(TWILIO), NOW) == MISMATCH
    with pytest.raises(CannotSignError):
        headers_of(UnsignedDelivery(BODY, NOW, "", PUBLIC_URL))


@pytest.mark.parametrize(
    ("body", "query"),
    [
        (b"&".join([b"a"] * 1001), b""),
        (b"a=" + b"%" * 50_001, b""),
        (b"a=1", b"&".join([b"a"] * 1001)),
    ],
)
def test_twilio_form_of_more_than_anybody_writes_is_refused_unread(body: bytes, query: bytes) -> None:
    content_type = FORM[0][1].decode()
    with pytest.raises(CannotSignError):
        headers_of(UnsignedDelivery(body, NOW, "", PUBLIC_URL, query, content_type))
    one_less, asked = body.removesuffix(b"&a").removesuffix(b"%"), query.removesuffix(b"&a")
    headers = [*headers_of(UnsignedDelivery(one_less, NOW, "", PUBLIC_URL, asked, content_type)), *FORM]
    assert isinstance(verify(headers, one_less, accepting(TWILIO), NOW, asked), Verified)
    assert verify(headers, body, accepting(TWILIO), NOW, query) == MISMATCH


def test_square_signs_the_configured_url_whatever_is_asked_of_it() -> None:
    signed = sign(SQUARE, SECRET, UnsignedDelivery(BODY, NOW, "", PUBLIC_URL))
    headers = [(n.encode(), v.encode()) for n, v in signed.items()]
    (accepted,) = accepting(SQUARE)
    assert isinstance(verify(headers, BODY, [accepted], NOW, b"a=1"), Verified)
    assert verify(headers, BODY, [replace(accepted, public_url=PUBLIC_URL + "/")], NOW) == MISMATCH


def test_form_of_more_fields_than_anybody_writes_is_not_read() -> None:
    most = b"&".join([b"a=1"] * 1000)
    assert read_document(most, FORM, forms=FormKind.FIELDS) == Document({"a": "1"}, FORM_TYPE)
    assert read_document(most + b"&", FORM, forms=FormKind.FIELDS) == Refused(RefusalReason.BODY_NOT_JSON)


def test_form_is_read_only_where_the_source_sends_forms() -> None:
    assert read_document(b"a=1&a=2&b=", FORM, forms=FormKind.FIELDS) == Document(
        {"a": "2", "b": ""}, FORM[0][1].decode().split(";")[0]
    )
    assert read_document("a=\N{SNOWMAN}&b=%E2%98%83".encode(), FORM, forms=FormKind.FIELDS) == Document(
        {"a": "\N{SNOWMAN}", "b": "\N{SNOWMAN}"}, "application/x-www-form-urlencoded"
    )
    assert read_document(b"a=1", FORM, forms=None) == Refused(RefusalReason.BODY_NOT_JSON)
    assert read_document(b"a=1", [], forms=FormKind.FIELDS) == Refused(RefusalReason.BODY_NOT_JSON)


json_like = st.binary(max_size=40) | st.text(st.sampled_from('{}[]":,\\u12dea 1&=+%;'), max_size=30).map(
    str.encode
)


@given(body=json_like)
@example(body=b'{"zen":"a&b=c+d;e%20f","repository":{"id":7}}')
@example(body=b'{"zen":"\xf0\x9f\x90\x95","half":"\\ud83d"}')
@example(body=b'{"zen":"\xff"}')
@example(body=b'{"zen":"\xed\xa0\x80"}')
@example(body=b"[" * 65 + b"]" * 65)
def test_json_in_a_form_says_what_it_says_without_one(body: bytes) -> None:
    alone = read_document(body, [], forms=FormKind.PAYLOAD)
    expected = alone if isinstance(alone, Refused) else Document(alone.value, FORM_TYPE)
    for form in (b"payload=" + quote_plus(body).encode(), b"a=1&payload=" + quote(body, safe="").encode()):
        assert read_document(form, FORM, forms=FormKind.PAYLOAD) == expected


@pytest.mark.parametrize(
    "body", [b"", b"payload", b"payload=", b"a=1", b"{}", b"payload={}" + b"&a=1" * 1000]
)
def test_form_without_its_json_is_not_read(body: bytes) -> None:
    assert read_document(body, FORM, forms=FormKind.PAYLOAD) == Refused(RefusalReason.BODY_NOT_JSON)


def test_interaction_of_slack_is_known_by_the_json_in_its_form() -> None:
    slack = IDENTITIES["slack"]
    outline = Outline(slack.pointers())
    pressed = {"type": "block_actions", "trigger_id": "13.7", "channel": {"id": "C1"}, "view": {"id": "V1"}}
    body = urlencode({"payload": json.dumps(pressed)}).encode()
    document = read_document(body, FORM, outline, forms=FormKind.EITHER)
    assert isinstance(document, Document)
    told = identify(document, body, slack, "chat", SignedFacts())
    assert isinstance(told, EventIdentity)
    assert (told.event_id, told.type, told.key) == ("13.7", "block_actions", "C1")
    command = urlencode({"command": "/book", "trigger_id": "13.8", "channel_id": "C2"}).encode()
    document = read_document(command, FORM, outline, forms=FormKind.EITHER)
    assert isinstance(document, Document)
    told = identify(document, command, slack, "chat", SignedFacts())
    assert isinstance(told, EventIdentity)
    assert (told.event_id, told.type, told.key) == ("13.8", "/book", "C2")
    assert read_document(b"payload=%7B", FORM, outline, forms=FormKind.EITHER) == Refused(
        RefusalReason.BODY_NOT_JSON
    )


@pytest.mark.parametrize(
    ("value", "challenge"),
    [
        ({"type": "url_verification", "challenge": "3eZb"}, "3eZb"),
        ({"type": "event_callback", "challenge": "3eZb"}, None),
        ({"type": "url_verification", "challenge": 3}, None),
        ({"type": "url_verification", "challenge": "\ud800"}, None),
        ([], None),
    ],
)
def test_challenge_is_found_in_a_handshake_alone(value: object, challenge: str | None) -> None:
    assert find_challenge(Document(value)) == challenge
