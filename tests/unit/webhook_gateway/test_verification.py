"""The engine, scheme by scheme and fault by fault."""

import hmac
from datetime import timedelta

import pytest

from contracts.reasons import RefusalReason
from unit.webhook_gateway.signed_deliveries import (
    BODY,
    MESSAGE_ID,
    NOW,
    OTHER_SECRET,
    SECRET,
    accepting,
    signed_headers,
    with_header,
)
from webhook_gateway.domain.refused import Refused
from webhook_gateway.domain.verification import (
    SCHEMES,
    AcceptedScheme,
    Scheme,
    Secret,
    SecretError,
    Verified,
    read_secret,
    verify,
)
from webhook_gateway.domain.verification.scheme import KeyForm

STRIPE, LEGACY, STANDARD = (SCHEMES[name] for name in ("stripe", "openphone-legacy", "standard-webhooks"))
MALFORMED = Refused(RefusalReason.SIGNATURE_MALFORMED)
MISMATCH = Refused(RefusalReason.SIGNATURE_MISMATCH)
each_scheme = pytest.mark.parametrize("scheme", SCHEMES.values(), ids=SCHEMES)


@each_scheme
def test_own_signature_verifies_and_tells_what_was_signed(scheme: Scheme) -> None:
    verdict = verify(signed_headers(scheme), BODY, accepting(scheme), NOW)
    message_id = MESSAGE_ID if scheme.id_header else None
    assert verdict == Verified(scheme.name, NOW if scheme.timestamp_unit else None, message_id)


@each_scheme
def test_no_signature_header_is_signature_missing(scheme: Scheme) -> None:
    headers = [(n, v) for n, v in signed_headers(scheme) if n != scheme.signature_header.encode()]
    assert verify(headers, BODY, accepting(scheme), NOW) == Refused(RefusalReason.SIGNATURE_MISSING)


@each_scheme
def test_no_live_secret_is_our_fault_whatever_was_sent(scheme: Scheme) -> None:
    ended = Secret(SECRET.key, ends_at=NOW)
    for headers in ([], signed_headers(scheme), [(scheme.signature_header.encode(), b"\xff")]):
        for accepted in ([AcceptedScheme(scheme, ())], accepting(scheme, ended)):
            assert verify(headers, BODY, accepted, NOW) == Refused(RefusalReason.SECRET_NOT_CONFIGURED)


@each_scheme
def test_rotation_takes_either_secret_until_the_old_one_ends(scheme: Scheme) -> None:
    old = Secret(OTHER_SECRET.key, ends_at=NOW)
    headers = signed_headers(scheme, secret=OTHER_SECRET)
    before = NOW - timedelta(seconds=1)
    assert isinstance(verify(headers, BODY, accepting(scheme, SECRET, old), before), Verified)
    assert verify(headers, BODY, accepting(scheme, SECRET, old), NOW) == MISMATCH
    assert isinstance(verify(signed_headers(scheme), BODY, accepting(scheme, old, SECRET), NOW), Verified)


@each_scheme
def test_repeated_signature_header_is_malformed_unless_it_is_a_comma_separated_list(scheme: Scheme) -> None:
    repeated = [*signed_headers(scheme), (scheme.signature_header.encode(), b"x")]
    verdict = verify(repeated, BODY, accepting(scheme), NOW)
    assert isinstance(verdict, Verified) if scheme.separator == "," else verdict == MALFORMED


def test_list_that_came_in_two_lines_is_one_list() -> None:
    ((name, value),) = signed_headers(STRIPE)
    timestamp, signature = value.split(b",")
    assert isinstance(verify([(name, timestamp), (name, signature)], BODY, accepting(STRIPE), NOW), Verified)
    # Which of two timestamps belongs to which signature nobody can tell.
    assert verify([(name, value), (name, value)], BODY, accepting(STRIPE), NOW) == MALFORMED


@pytest.mark.parametrize(
    ("name", "spaced"),
    [
        ("stripe", b", "),
        ("stripe", b" ,\t "),
        ("openphone-legacy", b" ,hmac;1;1;x ,\t"),
        ("standard-webhooks", b"  v1a,x \t"),
        ("svix", b"\tv1,x   "),
        ("paddle", b" ; "),
    ],
)
def test_items_of_a_list_may_have_spaces_around_them(name: str, spaced: bytes) -> None:
    scheme = SCHEMES[name]
    ((header, value),) = [
        each for each in signed_headers(scheme) if each[0] == scheme.signature_header.encode()
    ]
    separator = scheme.separator.encode()
    listed = value.replace(separator, spaced) if separator in value else value + spaced + value
    headers = with_header(signed_headers(scheme), header.decode(), b" " + listed + b"\t")
    assert isinstance(verify(headers, BODY, accepting(scheme), NOW), Verified)


@pytest.mark.parametrize(("old", "new"), [(b"v1=", b"v1= "), (b"v1=", b"v1 ="), (b"t=", b"t= ")])
def test_space_within_an_item_is_malformed(old: bytes, new: bytes) -> None:
    ((name, value),) = signed_headers(STRIPE)
    headers = [(name, value.replace(old, new))]
    assert verify(headers, BODY, accepting(STRIPE), NOW) == MALFORMED


@each_scheme
@pytest.mark.parametrize(
    "value",
    [
        b"",
        b" ",
        b",",
        b";;;",
        b"=",
        b"\xff\xfe\x00",
        "ü".encode(),
        b"v1=",
        b"t=1",
        b"v1," + b"A" * 100_000,
        b"," * 4096,
    ],
)
def test_nonsense_signature_header_is_malformed(scheme: Scheme, value: bytes) -> None:
    headers = with_header(signed_headers(scheme), scheme.signature_header, value)
    assert verify(headers, BODY, accepting(scheme), NOW) == MALFORMED


@each_scheme
def test_signature_made_with_another_secret_is_a_mismatch(scheme: Scheme) -> None:
    headers = signed_headers(scheme, secret=OTHER_SECRET)
    assert verify(headers, BODY, accepting(scheme), NOW) == MISMATCH


@pytest.mark.parametrize(
    "timestamp",
    [b"t=,", b"t=-1,", b"t=1e9,", b"t=1.0,", b"t=" + b"9" * 400 + b",", "t=\u0661,".encode(), b""],
)
def test_stripe_timestamp_that_is_no_whole_number_is_malformed(timestamp: bytes) -> None:
    (name, value) = signed_headers(STRIPE)[0]
    signature = value.split(b",")[1]
    assert verify([(name, timestamp + signature)], BODY, accepting(STRIPE), NOW) == MALFORMED


def test_stripe_with_two_timestamps_is_malformed() -> None:
    (name, value) = signed_headers(STRIPE)[0]
    assert verify([(name, b"t=1," + value)], BODY, accepting(STRIPE), NOW) == MALFORMED


def test_stripe_v0_never_counts() -> None:
    (name, value) = signed_headers(STRIPE)[0]
    assert verify([(name, value.replace(b"v1=", b"v0="))], BODY, accepting(STRIPE), NOW) == MALFORMED


def test_one_good_signature_among_fifteen_wrong_ones_verifies_and_a_sixteenth_is_malformed() -> None:
    (name, value) = signed_headers(STRIPE)[0]
    wrong = b",v1=" + b"0" * 64
    assert isinstance(verify([(name, value + 15 * wrong)], BODY, accepting(STRIPE), NOW), Verified)
    assert verify([(name, value + 16 * wrong)], BODY, accepting(STRIPE), NOW) == MALFORMED


def test_header_longer_than_any_provider_writes_is_malformed_even_with_a_good_signature() -> None:
    (name, value) = signed_headers(STRIPE)[0]
    assert isinstance(
        verify([(name, value + b",v0=" + b"0" * 3_000)], BODY, accepting(STRIPE), NOW), Verified
    )
    assert verify([(name, value + b",v0=" + b"0" * 4_096)], BODY, accepting(STRIPE), NOW) == MALFORMED


def test_openphone_stale_signature_beside_a_fresh_one_verifies_by_the_fresh_one() -> None:
    stale = signed_headers(LEGACY, at=NOW - timedelta(hours=1))[0][1]
    fresh = signed_headers(LEGACY)[0][1]
    headers = [(b"openphone-signature", stale + b"," + fresh)]
    assert verify(headers, BODY, accepting(LEGACY), NOW) == Verified("openphone-legacy", NOW, None)


def test_openphone_fresh_timestamp_on_a_stale_signature_is_a_mismatch() -> None:
    stale = signed_headers(LEGACY, at=NOW - timedelta(hours=1))[0][1]
    fresh = signed_headers(LEGACY)[0][1]
    forged = b";".join(fresh.split(b";")[:3] + stale.split(b";")[3:])
    assert verify([(b"openphone-signature", forged)], BODY, accepting(LEGACY), NOW) == MISMATCH


@pytest.mark.parametrize("header", ["webhook-id", "webhook-timestamp"])
def test_standard_webhooks_without_a_companion_header_is_malformed(header: str) -> None:
    headers = [(n, v) for n, v in signed_headers(STANDARD) if n != header.encode()]
    assert verify(headers, BODY, accepting(STANDARD), NOW) == MALFORMED


def test_standard_webhooks_id_with_a_full_stop_is_malformed() -> None:
    # "a.1" + "." + timestamp and "a" + "." + "1." … could be the same signed bytes.
    headers = signed_headers(STANDARD, message_id="msg.1")
    assert verify(headers, BODY, accepting(STANDARD), NOW) == MALFORMED


def test_standard_webhooks_non_canonical_base64_does_not_verify() -> None:
    headers = signed_headers(STANDARD)
    value = dict(headers)[b"webhook-signature"]
    last = value[-2:-1]
    twin = {b"A": b"B", b"E": b"F", b"I": b"J"}.get(last, bytes([value[-2] + 1]))
    changed = with_header(headers, "webhook-signature", value[:-2] + twin + b"=")
    assert isinstance(verify(changed, BODY, accepting(STANDARD), NOW), Refused)


def test_sms_source_takes_whichever_generation_the_headers_name() -> None:
    accepted = [*accepting(LEGACY, SECRET), *accepting(STANDARD, OTHER_SECRET)]
    legacy, current = signed_headers(LEGACY), signed_headers(STANDARD, secret=OTHER_SECRET)
    assert verify(legacy, BODY, accepted, NOW) == Verified("openphone-legacy", NOW, None)
    assert verify(current, BODY, accepted, NOW) == Verified("standard-webhooks", NOW, MESSAGE_ID)
    assert verify([], BODY, accepted, NOW) == Refused(RefusalReason.SIGNATURE_MISSING)
    broken = with_header(legacy, "openphone-signature", b"hmac;1;1;x")
    assert isinstance(verify([*broken, *current], BODY, accepted, NOW), Verified)


def test_generation_whose_secret_is_not_set_is_our_fault() -> None:
    accepted = [*accepting(LEGACY, SECRET), AcceptedScheme(STANDARD, ())]
    assert verify(signed_headers(STANDARD), BODY, accepted, NOW) == Refused(
        RefusalReason.SECRET_NOT_CONFIGURED
    )


def test_every_secret_is_compared_with_every_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []
    real = hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", lambda a, b: (compared.append((a, b)), real(a, b))[1])
    (name, value) = signed_headers(STRIPE)[0]
    headers = [(name, value + b",v1=" + b"0" * 64)]
    assert isinstance(verify(headers, BODY, accepting(STRIPE, SECRET, OTHER_SECRET), NOW), Verified)
    assert len(set(compared)) == 4


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("R2ZLM2o0bFhBNVpyUnU2NG9mYXQ1MHNyR3pvSUhIVVg=", KeyForm.BASE64),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", KeyForm.WHSEC_BASE64),
        ("whsec_abcdefghijklmnopqrstuvwxyz012345", KeyForm.TEXT),
    ],
)
def test_secret_as_the_provider_shows_it_is_read(text: str, form: KeyForm) -> None:
    secret = read_secret(text, form)
    assert len(secret.key) >= 24
    assert text not in repr(secret)
    assert secret.key.hex() not in secret.fingerprint


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("", KeyForm.TEXT),
        ("whsec_", KeyForm.WHSEC_BASE64),
        ("x" * 23, KeyForm.TEXT),
        ("AAAA", KeyForm.BASE64),
        ("ü" * 40, KeyForm.BASE64),
        ("*" * 40, KeyForm.BASE64),
    ],
)
def test_secret_that_cannot_protect_anything_is_refused_without_being_shown(text: str, form: KeyForm) -> None:
    with pytest.raises(SecretError) as refusal:
        read_secret(text, form)
    assert not text or text not in str(refusal.value)


def test_body_is_hashed_once_per_secret_however_many_signatures_come(monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[bytes] = []
    real = hmac.digest
    monkeypatch.setattr(hmac, "digest", lambda key, *rest: (hashed.append(key), real(key, *rest))[1])
    (name, value) = signed_headers(STRIPE)[0]
    hashed.clear()
    headers = [(name, value + 15 * (b",v1=" + b"0" * 64))]
    assert isinstance(verify(headers, BODY, accepting(STRIPE, SECRET, OTHER_SECRET), NOW), Verified)
    assert hashed == [SECRET.key, OTHER_SECRET.key]


@pytest.mark.parametrize("name", ["standard-webhooks-v1a", "sendgrid"])
def test_public_key_signature_has_one_spelling(name: str) -> None:
    scheme = SCHEMES[name]
    bodies = (BODY + b" " * n for n in range(1_000))
    for body in bodies:  # an ECDSA signature's length varies; one without padding has no other spelling
        headers = signed_headers(scheme, body)
        value = dict(headers)[scheme.signature_header.encode()]
        if value.endswith(b"="):
            break
    digits = value.rstrip(b"=")
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    twin = alphabet[alphabet.index(digits[-1:]) ^ 1]
    changed = digits[:-1] + bytes([twin]) + value[len(digits) :]
    assert isinstance(verify(headers, body, accepting(scheme), NOW), Verified)
    verdict = verify(with_header(headers, scheme.signature_header, changed), body, accepting(scheme), NOW)
    assert isinstance(verdict, Refused)
