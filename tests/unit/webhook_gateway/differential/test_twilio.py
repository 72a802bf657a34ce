"""Our verdict against the `twilio` package: forms, JSON whose digest is in the query, ports or none."""

import base64
import hashlib
import hmac
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from harness.exploring import explores
from unit.webhook_gateway.differential.drawn import (
    MOSTLY,
    assert_same_or_named,
    keys,
    keys_like,
    mutations,
    texts,
    we_accept,
)
from webhook_gateway.domain.verification import SCHEMES, Scheme

TWILIO = SCHEMES["twilio"]
TWILIO_SHA256 = replace(TWILIO, digest="sha256")
"""What Twilio signs with a shared key, named in X-Twilio-Webhooks-Signature-Settings."""
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
REPLACED = "\N{REPLACEMENT CHARACTER}"
FORM, JSON = "application/x-www-form-urlencoded", "application/json"
HOST = "hooks.example.com"
URLS = [f"https://{HOST}/x", f"http://{HOST}/x", f"https://{HOST}:443/x", f"http://{HOST}:80/x"]
ODD_PORTS = [f"https://{HOST}:8443/x", f"http://{HOST}:8080/x"]

fields = st.lists(st.tuples(texts.map(lambda text: text[:9]), texts.map(lambda text: text[:9])), max_size=4)
queries = st.text(st.sampled_from("abz019=&%+._-~/:@!$'()*,"), max_size=30)


class Fields(dict[str, list[str]]):
    """A form as web frameworks hand it over: several values a name."""

    def __init__(self, body: str) -> None:
        super().__init__()
        for name, value in parse_qsl(body, keep_blank_values=True):
            self.setdefault(name, []).append(value)

    def getlist(self, name: str) -> list[str]:
        return self[name]


def _package_accepts(
    scheme: Scheme, url: str, content_type: str, body: str, signature: str, token: str
) -> bool:
    params = Fields(body) if content_type == FORM else body
    try:
        return RequestValidator(token).validate(url, params, signature, f"HMAC_{scheme.digest.upper()}")
    except TypeError:  # a body that is no form, without its digest
        return False


def _package_is_laxer(url: str, content_type: str, body: str) -> str | None:
    split = urlsplit(url)
    if split.scheme == "http" and split.port not in {None, 80}:
        return "takes an HTTP URL without the port that it has, which Twilio drops over HTTPS alone"
    digests = parse_qs(urlsplit(url).query, keep_blank_values=True).get("bodySHA256", [])
    if digests and content_type == FORM:
        return "does not look at the digest of what is called a form"
    if len(digests) > 1:
        return "takes the first of several digests"
    if content_type == FORM and REPLACED in "".join(
        name + value for name, value in parse_qsl(body, keep_blank_values=True)
    ):
        return "is given U+FFFD by frameworks for bytes that are no UTF-8; we keep the bytes"
    if content_type == JSON and not body:
        return "takes an empty body that nothing vouches for"
    return None


def _package_is_stricter(url: str, content_type: str) -> str | None:
    digests = parse_qs(urlsplit(url).query, keep_blank_values=True).get("bodySHA256", [])
    if digests and content_type == FORM:
        return "looks for a form's fields in the signed text, digest or not"
    if digests != [digest.lower() for digest in digests]:
        return "knows digests in small letters only"
    return None


def _signed_text(url: str, content_type: str, body: str, query: str) -> str:
    """By the words of twilio.com/docs/usage/security, for a sender that does what they say."""
    if content_type == JSON or "bodySHA256" in query:
        return url
    return url + "".join(name + value for name, value in sorted(set(parse_qsl(body, keep_blank_values=True))))


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, str, str, str]:
    """Content type, body, query, and the URL that was signed."""
    content_type = draw(st.sampled_from([FORM, FORM, JSON]))
    body = draw(texts | fields.map(urlencode)) if content_type == FORM else draw(texts)
    query = draw(queries)
    if draw(st.sampled_from([content_type == JSON, content_type == JSON, False, True])):
        digest = hashlib.sha256(body.encode()).hexdigest()
        written = draw(st.sampled_from([digest, digest, digest, digest.upper(), digest[1:], ""]))
        query = draw(st.sampled_from([query + "&", ""])) + "bodySHA256=" + written
        query += draw(st.sampled_from(["", "", "&bodySHA256=" + digest, "&bodysha256=0"]))
    return content_type, body, query, draw(st.sampled_from([*URLS, *ODD_PORTS]))


@explores(10_000)
@pytest.mark.parametrize("scheme", [TWILIO, TWILIO_SHA256], ids=["SHA-1", "SHA-256"])
@given(data=st.data(), request=requests(), token=keys)
def test_twilio_signature_gets_the_verdict_of_the_twilio_package(
    scheme: Scheme, data: st.DataObject, request: tuple[str, str, str, str], token: str
) -> None:
    content_type, body, query, signed_url = request
    asked = f"?{query}" if query else ""
    text = _signed_text(signed_url + asked, content_type, body, query)
    signer = data.draw(keys_like(token))
    signed = base64.b64encode(hmac.digest(signer.encode(), text.encode(), scheme.digest)).decode()
    signature = data.draw(mutations(signed))
    sent = data.draw(st.sampled_from([*MOSTLY * [body], body + "&a=", body + " "]))
    public_url = data.draw(st.sampled_from([*MOSTLY * [signed_url], *URLS, *ODD_PORTS]))
    headers = {scheme.signature_header: signature, "content-type": content_type}
    is_same = (signature, sent, signer, public_url) == (signed, body, token, signed_url)
    assert_same_or_named(
        ours=we_accept(scheme, token, headers, sent, NOW, query=query, public_url=public_url),
        theirs=_package_accepts(scheme, public_url + asked, content_type, sent, signature, token),
        laxer=_package_is_laxer(public_url + asked, content_type, sent),
        stricter=_package_is_stricter(public_url + asked, content_type),
        untouched=is_same and content_type == FORM and "bodySHA256" not in query and REPLACED not in text,
        told=(public_url + asked, headers, sent, token),
    )
