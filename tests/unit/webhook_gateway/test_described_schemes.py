"""Descriptions of HMAC schemes in a sources file: what the file accepts signs and verifies (GW-1)."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chassis.process.environment import SettingsError
from harness.exploring import explores
from unit.webhook_gateway.signed_deliveries import BODY, MESSAGE_ID, NOW, PUBLIC_URL, SECRET
from webhook_gateway.domain.verification import FORM, AcceptedScheme, UnsignedDelivery, Verified, sign, verify
from webhook_gateway.settings.sources_file import read_sources_file

Description = dict[str, object]
FORM_BODY = b"To=%2B1&Body=a+b"

ITEMS = ("{signature}", "s={signature}", "t={timestamp}", "{timestamp}", "1;{timestamp};{signature}", "5")
ODD_ITEMS = ("{signature:>9}", "{signature!s}", "{body}", "{", "}", "{{", "}}", "{}", " ", ",", "=", "\n")
SIGNED = ("{body}", "{timestamp}.{body}", "{id}.{body}", "{request_url}{form}", "{form}", "{url}{body}")
ODD_SIGNED = ("{timestamp}", "{id}", "{url}", "%", "{body:>9}", "{body!r}", "{", "}}", "\n", "é", "{oops}")
HEADERS = ("x-signature", "x-time", "x-id", "content-type")


def several(ordinary: tuple[str, ...], odd: tuple[str, ...]) -> st.SearchStrategy[str]:
    """One as people write them, or a few pieces run together."""
    pieces = st.lists(st.sampled_from([*ordinary, *odd]), min_size=1, max_size=3).map("".join)
    return st.sampled_from(ordinary) | st.sampled_from(ordinary) | pieces


@st.composite
def descriptions(draw: st.DrawFn) -> Description:
    """Tables `hmac`, of which every third or so can be meant."""
    items = draw(st.lists(several(ITEMS, ODD_ITEMS), min_size=1, max_size=3))
    signed = draw(several(SIGNED, ODD_SIGNED))
    described: Description = {
        "header": draw(st.sampled_from(["x-signature", "x-signature", "x-signature", *HEADERS])),
        "items": items,
        "signed": signed,
        "separator": draw(st.sampled_from([",", ",", ";", " ", ", ", "", "a", "=", "\n", ",,"])),
        "encoding": draw(st.sampled_from(["hex", "base64"])),
        "digest": draw(st.sampled_from(["sha1", "sha256", "sha384", "sha512"])),
    }
    if draw(st.sampled_from([*5 * ["{timestamp}" in signed], True, False])):
        described["timestamp_unit"] = draw(st.sampled_from(["seconds", "milliseconds"]))
        if draw(st.sampled_from([*5 * ["{timestamp}" not in "".join(items)], True, False])):
            described["timestamp_header"] = draw(st.sampled_from(["x-time", "x-time", *HEADERS]))
    if draw(st.sampled_from([*5 * ["{id}" in signed], True, False])):
        described["id_header"] = draw(st.sampled_from(["x-id", "x-id", *HEADERS]))
    return described


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("described")


def read(folder: Path, described: Description) -> AcceptedScheme | SettingsError:
    lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in described.items()]
    accept = ["[[sources.acme.accept]]", 'secret_variable = "NOT_SET"', f'public_url = "{PUBLIC_URL}"']
    path = folder / "sources.toml"
    path.write_text("\n".join([*accept, "[sources.acme.accept.hmac]", *lines]), encoding="utf-8")
    try:
        (source,) = read_sources_file(str(path))
    except SettingsError as refusal:
        return refusal
    return replace(source.accepted[0], secrets=(SECRET,))


@explores(10_000)
@given(described=descriptions())
@example(described={"header": "x-s", "items": ["{signature}", "s={signature}"], "separator": ","})
@example(described={"header": "x-s", "signed": "{form}"})
@example(described={"header": "x-s", "signed": "{url}{form}"})
@example(described={"header": "x-s", "signed": "100%{body}%(body)b"})
def test_whatever_a_file_accepts_signs_and_verifies(folder: Path, described: Description) -> None:
    accepted = read(folder, described)
    if isinstance(accepted, SettingsError):
        assert ": sources.acme.accept.0.hmac" in str(accepted)
        assert "\n" not in str(accepted)
        return
    form = "{form}" in accepted.scheme.signed
    body, content_type = (FORM_BODY, FORM) if form else (BODY, "application/json")
    headers = sign(
        accepted.scheme,
        SECRET,
        UnsignedDelivery(body, NOW, MESSAGE_ID, PUBLIC_URL, content_type=content_type),
    )
    headers["content-type"] = content_type
    told = [(name.encode(), value.encode("ascii").strip(b" \t")) for name, value in headers.items()]
    assert isinstance(verify(told, body, [accepted], NOW), Verified)
    assert not isinstance(verify(told, body + b"x", [accepted], NOW), Verified)


def test_digest_in_a_query_that_nobody_signs_vouches_for_no_body(folder: Path) -> None:
    """A signature of an empty form is one of no bytes at all: with it any body would get in."""
    accepted = read(folder, {"header": "x-s", "signed": "{form}"})
    assert isinstance(accepted, AcceptedScheme)
    empty = sign(accepted.scheme, SECRET, UnsignedDelivery(b"", NOW, "", content_type=FORM))
    headers = [(b"x-s", empty["x-s"].encode())]
    assert isinstance(verify([*headers, (b"content-type", FORM.encode())], b"", [accepted], NOW), Verified)
    digest = hashlib.sha256(BODY).hexdigest().encode()
    assert not isinstance(verify(headers, BODY, [accepted], NOW, b"bodySHA256=" + digest), Verified)
