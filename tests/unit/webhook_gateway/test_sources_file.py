"""Further sources by configuration alone; each mistake is one line that names the key (GW-1, GW-6)."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from chassis.process.environment import SettingsError
from unit.webhook_gateway.signed_deliveries import BODY, NOW
from webhook_gateway.domain.document import FormKind
from webhook_gateway.domain.identity import HeaderLocation
from webhook_gateway.domain.source import AnswerKind
from webhook_gateway.domain.verification import SCHEMES, Secret, UnsignedDelivery, Verified, sign, verify
from webhook_gateway.settings.sources_file import read_sources_file

SECRET = "a secret of more than twenty-four bytes"
PAGE = Path(__file__).parents[3] / "docs" / "sources.md"


def written(tmp_path: Path, text: str) -> str:
    path = tmp_path / "sources.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def acme(*lines: str) -> str:
    return "\n".join(["[[sources.acme.accept]]", *lines])


HMAC = """
[[sources.acme.accept]]
secret_variable = "ACME_SECRET"
hmac.header = "x-acme-signature"
hmac.items = ["t={timestamp}", "s={signature}"]
hmac.separator = ";"
hmac.signed = "v2:{id}:{timestamp}:{body}"
hmac.digest = "sha512"
hmac.encoding = "base64"
hmac.timestamp_unit = "milliseconds"
hmac.id_header = "x-acme-id"
[sources.acme.identity]
event_id = ["header:X-Acme-Event", "/event/id"]
booking_id = ["/event/booking"]
"""


def twilio(url: str) -> str:
    return acme('scheme = "twilio"', 'secret_variable = "ACME_SECRET"', f'public_url = "{url}"')


def items(*each: str) -> str:
    return re.sub(r"hmac.items = .*", f"hmac.items = {json.dumps(each, ensure_ascii=False)}", HMAC)


TWO_SIGNATURES = items("t={timestamp}", "s={signature}", "r={signature}")
"""Read item by item, where one of each is read as a whole."""


def test_scheme_described_in_the_file_verifies_what_it_signs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACME_SECRET", SECRET)
    (source,) = read_sources_file(written(tmp_path, HMAC))
    (accepted,) = source.accepted
    assert source.name == "acme"
    assert not source.always_verified
    assert source.identity.event_id == (HeaderLocation(b"x-acme-event"), ("event", "id"))
    assert source.identity.booking_id == (("event", "booking"),)
    headers = sign(accepted.scheme, accepted.secrets[0], UnsignedDelivery(BODY, NOW, "m1"))
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    assert verify(raw, BODY, source.accepted, NOW) == Verified("hmac", NOW, "m1")
    assert not isinstance(verify(raw, BODY + b" ", source.accepted, NOW), Verified)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_known_scheme_needs_its_name_and_a_variable_and_no_more_than_its_url(
    tmp_path: Path, scheme: str
) -> None:
    url = 'public_url = "https://hooks.example.com/webhooks/acme"' if SCHEMES[scheme].needs_url else ""
    text = acme(f'scheme = "{scheme}"', 'secret_variable = "ACME_SECRET"', url)
    (source,) = read_sources_file(written(tmp_path, text))
    assert source.accepted[0].secrets == ()


@pytest.mark.parametrize(
    ("schemes", "forms"),
    [
        (["github"], FormKind.PAYLOAD),
        (["slack"], FormKind.EITHER),
        (["twilio"], FormKind.FIELDS),
        (["github", "slack"], FormKind.EITHER),
        (["slack", "twilio"], FormKind.FIELDS),
        (["stripe", "github"], FormKind.PAYLOAD),
        (["stripe", "shopify"], None),
    ],
)
def test_forms_are_read_as_the_schemes_send_them(
    tmp_path: Path, schemes: list[str], forms: FormKind | None
) -> None:
    url = 'public_url = "https://hooks.example.com/webhooks/acme"'
    tables = [acme(f'scheme = "{each}"', 'secret_variable = "ACME_SECRET"', url) for each in schemes]
    (source,) = read_sources_file(written(tmp_path, "\n".join(tables)))
    assert source.forms is forms


def test_header_may_be_written_as_the_provider_writes_it(tmp_path: Path) -> None:
    text = HMAC.replace('"x-acme-signature"', '"X-Acme-Signature"')
    (source,) = read_sources_file(written(tmp_path, text))
    assert source.accepted[0].scheme.signature_header == "x-acme-signature"


def test_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    (source,) = read_sources_file(written(tmp_path, "\ufeff" + HMAC))
    assert source.name == "acme"


def test_answer_is_as_the_file_says(tmp_path: Path) -> None:
    (source,) = read_sources_file(written(tmp_path, HMAC + '[sources.acme]\nanswer = "twiml"\n'))
    assert source.answer is AnswerKind.TWIML
    assert read_sources_file(written(tmp_path, HMAC))[0].answer is AnswerKind.JSON


def test_secret_is_read_from_the_file_that_its_variable_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_text(SECRET + "\n", encoding="utf-8")
    monkeypatch.setenv("ACME_SECRET_FILE", str(tmp_path / "secret"))
    text = acme('scheme = "github"', 'secret_variable = "ACME_SECRET"')
    (source,) = read_sources_file(written(tmp_path, text))
    assert source.accepted[0].secrets[0].key == SECRET.encode()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("sources = 1", "sources: "),
        ("[sources", "no TOML"),
        ("sources = " + "[" * 5000 + "]" * 5000, "no TOML: its arrays or tables are nested too deeply"),
        ("sources = " + "{a=" * 5000, "no TOML: its arrays or tables are nested too deeply"),
        ("sources = " + "9" * 5000, "no TOML: it holds a number of too many digits"),
        (acme(f"hmac.window_seconds_max = 0x{'f' * 9000}"), "accept.0.hmac.window_seconds_max: "),
        ('[sources."a\\nb"]\naccept = []', r"sources.a\nb.[key]: names are lower-case"),
        ('"a\\u2028b" = 1', r"a\u2028b: is no key of this table; there are sources"),
        (HMAC.replace('"/event/id"', r'"event\nid"'), r'"event\nid" is no JSON Pointer'),
        ("[sources.Acme]\naccept = []", "names are lower-case"),
        ("[sources.stripe]\naccept = []", "not stripe"),
        ("[sources.acme]\naccept = []", "sources.acme.accept"),
        (acme('scheme = "github"'), "sources.acme.accept.0.secret_variable: is missing"),
        ("", "sources: is missing"),
        ('[sources.acme.accept]\nscheme = "github"', "write [[sources.acme.accept]] above it"),
        (acme('sheme = "github"'), "sheme: is no key of this table; there are scheme, hmac, secret_variable"),
        (HMAC.replace("hmac.digest", "hmac.hash"), "hmac.hash: is no key of this table; there are header,"),
        (
            HMAC.replace("booking_id", "booking"),
            "identity.booking: is no key of this table; there are event_id,",
        ),
        ("[sources.acme]\nverified = true", "acme.verified: is no key of this table; there are accept,"),
        ('[sources.acme.identity]\nevent_id = "/id"', 'identity.event_id: is an array: write ["…"]'),
        ('[sources.acme]\nalways_verified = "yes"', "acme.always_verified: expected true or false"),
        ('[sources.acme]\nanswer = "xml"', "acme.answer: expected one of json, empty, twiml"),
        (
            acme('scheme = "gitlab"', 'secret_variable = "ACME_SECRET"'),
            "sources.acme.accept.0.scheme: is not known",
        ),
        (acme('secret_variable = "ACME_SECRET"'), "either scheme"),
        (acme('scheme = "github"', 'secret_variable = "ACME_SECRET"', "typo = 1"), "accept.0.typo"),
        (acme('scheme = "square"', 'secret_variable = "ACME_SECRET"'), "public_url is missing"),
        (
            acme('scheme = "square"', 'secret_variable = "ACME_SECRET"', 'public_url = "hooks"'),
            "public_url: is no URL",
        ),
        (
            acme('scheme = "square"', 'secret_variable = "ACME_SECRET"', 'public_url = "https://x:99999/"'),
            "public_url: is no URL",
        ),
        (twilio("https://hooks.example.com/x?a=1"), "accept.0: public_url: leave out query and fragment"),
        (twilio("https://hooks.example.com/x?"), "accept.0: public_url: leave out query and fragment"),
        (twilio("https://hooks.example.com/x#a"), "accept.0: public_url: leave out query and fragment"),
        (HMAC.replace("{signature}", "x"), "has to hold {signature}"),
        (HMAC.replace("{body}", "x"), "signed: has to hold {body}"),
        (HMAC.replace("{body}", "{body}{oops}"), "may hold {id}"),
        (HMAC.replace("{body}", "{body}{"), "may hold {id}"),
        (HMAC.replace('hmac.timestamp_unit = "milliseconds"', ""), "all three or none"),
        (HMAC.replace('"t={timestamp}", ', ""), "all three or none"),
        (HMAC.replace('hmac.id_header = "x-acme-id"', ""), "both or none"),
        (HMAC.replace("sha512", "md5"), "digest"),
        (items("{signature},{signature}"), "hmac.items.0: may hold {timestamp} and {signature} once each"),
        (items("t={timestamp}{timestamp}", "s={signature}"), "hmac.items.0: may hold"),
        (items("t={timestamp}", "s={signature:>10}"), "hmac.items.1: may hold"),
        (items("t={timestamp}", "s={signature!r}"), "hmac.items.1: may hold"),
        (items("t={timestamp}", "{{{signature}}}"), "hmac.items.1: may hold"),
        (items("t={timestamp}", "s={signature}\\r\\nx-more: 1"), "hmac.items.1: is no text of a header"),
        (items("t={timestamp}", "§={signature}"), "hmac.items.1: is no text of a header"),
        (items("t={timestamp}", "x" * 129 + "{signature}"), "hmac.items.1: "),
        (items(" t={timestamp}", "s={signature}"), "hmac: items: a header's value neither begins"),
        (items("t={timestamp}", "s={signature} "), "hmac: items: a header's value neither begins"),
        (items("t={timestamp}", "u={timestamp}", "s={signature}"), "hmac: items: each {signature} needs one"),
        (items("s={signature}", "t={timestamp},r={signature}"), "hmac: items: each {signature} needs one"),
        (items("{timestamp}", "5", "s={signature}", "{signature}"), "hmac: items: each {signature}"),
        (HMAC.replace('hmac.separator = ";"', ""), "hmac: separator: is missing"),
        (
            TWO_SIGNATURES.replace('separator = ";"', 'separator = "="'),
            "hmac: separator: may not stand within",
        ),
        (
            TWO_SIGNATURES.replace('separator = ";"', 'separator = "a"'),
            "hmac: separator: may not stand within",
        ),
        (HMAC.replace('separator = ";"', 'separator = "\\n"'), "hmac.separator: is no text of a header"),
        (HMAC.replace("{body}", "{body:>10}"), "hmac.signed: may hold {id}"),
        (HMAC.replace("{body}", "{body}{id!r}"), "hmac.signed: may hold {id}"),
        (HMAC.replace("{body}", "{{{body}}}"), "hmac.signed: may hold {id}"),
        (HMAC.replace('"x-acme-signature"', '"content-type"'), "hmac.header: is no header for it"),
        (HMAC.replace('"x-acme-id"', '"x-acme-signature"'), "hmac: header, timestamp_header and id_header"),
        (HMAC.replace('"/event/id"', '"event/id"'), "identity.event_id.1"),
        (HMAC.replace('"/event/id"', '"header:x acme"'), "identity.event_id.1: names no header"),
        (HMAC.replace('"/event/id"', '"header:"'), "identity.event_id.1: names no header"),
        (HMAC.replace('"/event/id"', "7"), "identity.event_id.1: is no text"),
    ],
)
def test_mistake_is_one_line_that_names_the_key(tmp_path: Path, text: str, told: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(SettingsError, match=re.escape(told)) as refusal:
        read_sources_file(path)
    assert path in str(refusal.value)
    assert len(str(refusal.value).splitlines()) == 1


def test_url_that_is_signed_as_it_is_configured_may_have_a_query(tmp_path: Path) -> None:
    url = "https://hooks.example.com/webhooks/acme?shop=1"
    text = acme('scheme = "square"', 'secret_variable = "ACME_SECRET"', f'public_url = "{url}"')
    (source,) = read_sources_file(written(tmp_path, text))
    (accepted,) = source.accepted
    headers = sign(accepted.scheme, Secret(SECRET.encode()), UnsignedDelivery(BODY, NOW, "", url))
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    with_secret = replace(accepted, secrets=(Secret(SECRET.encode()),))
    assert isinstance(verify(raw, BODY, [with_secret], NOW, b"shop=1"), Verified)


@pytest.mark.parametrize("secret", ["", " ", "too short"])
def test_secret_that_protects_nothing_is_refused_by_its_variable_and_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    monkeypatch.setenv("ACME_SECRET", secret)
    with pytest.raises(SettingsError, match=r"^ACME_SECRET ") as refusal:
        read_sources_file(written(tmp_path, acme('scheme = "github"', 'secret_variable = "ACME_SECRET"')))
    assert not secret.strip() or secret not in str(refusal.value)


def test_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="WEBHOOK_SOURCES_FILE: cannot read"):
        read_sources_file(str(tmp_path / "none.toml"))


def test_every_example_of_the_page_is_a_sources_file(tmp_path: Path) -> None:
    examples = re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(examples) >= 3
    for example in examples:
        assert read_sources_file(written(tmp_path, example))


def test_page_tells_of_every_scheme() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert not [name for name in SCHEMES if f"`{name}`" not in page]


@pytest.mark.parametrize(
    ("written", "separator"),
    [("HMAC {signature}", " "), ("sha256={signature}", "="), ("v1,{signature}", ",")],
)
def test_one_item_may_hold_its_separator(tmp_path: Path, written: str, separator: str) -> None:
    text = f"""[[sources.acme.accept]]
secret_variable = "ACME_WEBHOOK_SECRET"
hmac = {{ header = "x-acme", items = ["{written}"], separator = "{separator}" }}
"""
    (path := tmp_path / "sources.toml").write_text(text, encoding="utf-8")
    (source,) = read_sources_file(str(path))
    assert source.accepted[0].scheme.items == (written,)


@pytest.mark.parametrize(
    ("scheme", "secret", "told"),
    [
        ("github", "ghp_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "is an access token"),
        ("github", '"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"', "begins with a quotation mark"),
        ("github", "MfKQ9r8GKYqrTwjUPD8I\u200bLPZIo2LaLaSw", r"holds U\+200B"),
        ("github", "https://hooks.example.com/MfKQ9r8GKYqr", "is a URL"),
        ("shopify", "shpat_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "is an access token"),
        ("slack", "xoxb-MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "is a token of the app"),
        ("twilio", "AC" + "0123456789abcdef" * 2, "is an account's SID"),
        ("square", "sq0csp-MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "is a credential of the application"),
        ("paddle", "pdl_live_apikey_MfKQ9r8GKYqrTwjUPD8ILPZIo2", "is an API key"),
        ("sendgrid", "SG.MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "is an API key"),
        ("svix", "ep_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "is an endpoint's id"),
        ("standard-webhooks-v1a", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "symmetric"),
    ],
)
def test_other_key_of_the_provider_is_refused_by_its_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str, secret: str, told: str
) -> None:
    monkeypatch.setenv("ACME_SECRET", secret)
    url = 'public_url = "https://hooks.example.com/webhooks/acme"'
    text = acme(f'scheme = "{scheme}"', 'secret_variable = "ACME_SECRET"', url)
    with pytest.raises(SettingsError, match=f"ACME_SECRET {told}|ACME_SECRET .*{told}") as refusal:
        read_sources_file(written(tmp_path, text))
    assert "MfKQ" not in str(refusal.value)
    assert "0123456789abcdef" not in str(refusal.value)


@pytest.mark.parametrize("secret", ["It's a Secret to Everybody", "zwölf große Hunde bellen laut"])
def test_secret_that_somebody_chose_may_have_spaces_and_any_letters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    monkeypatch.setenv("ACME_SECRET", secret)
    (source,) = read_sources_file(
        written(tmp_path, acme('scheme = "github"', 'secret_variable = "ACME_SECRET"'))
    )
    assert source.accepted[0].secrets[0].key == secret.encode()
