"""Tokens: a valid token names the caller, any other bytes are a typed refusal (ALL-4, RFC 8725)."""

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from chassis.auth.identity import Identity, Refusal, RefusalReason, Role
from chassis.auth.keys import UnusableKeyError, read_jwks, shared_key
from chassis.auth.tokens import LEEWAY_SECONDS, TOKEN_BYTES_MAX, Expectation, verify

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
AT = int(NOW.timestamp())
SECRET = "0123456789abcdef" * 4
EXPECTED = Expectation("https://login.example.com", "plumbline", "roles", 24 * 60 * 60)
CLAIMS: dict[str, Any] = {
    "iss": EXPECTED.issuer,
    "aud": EXPECTED.audience,
    "sub": "ana",
    "exp": AT + 600,
    "roles": ["operator", "somebody-elses"],
}
RSA = RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"})
EC = ECKey.generate_key("P-256", {"kid": "ec"})
ED = OKPKey.generate_key("Ed25519", {"kid": "ed"})
PUBLIC = [key.as_dict(private=False) for key in (RSA, EC, ED)]
RING = read_jwks(json.dumps({"keys": PUBLIC}).encode())
SHARED = shared_key(SECRET)
ANA = Identity("ana", frozenset({Role.OPERATOR}))


def b64(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def sign(payload: bytes, header: dict[str, Any], key: Any) -> bytes:
    registry = jws.JWSRegistry(algorithms=[header["alg"]], strict_check_header=False)
    registry.max_header_length = 10**6
    return jws.serialize_compact(header, payload, key, registry=registry).encode()


def mac(header: bytes, payload: bytes, secret: str) -> bytes:
    # By hand: the library would refuse to write such headers.
    signing = b64(header) + b"." + b64(payload)
    return signing + b"." + b64(hmac.new(secret.encode(), signing, hashlib.sha256).digest())


def hs256(claims: object = None, *, raw: bytes | None = None, header: dict[str, Any] | None = None) -> bytes:
    payload = json.dumps(CLAIMS if claims is None else claims).encode() if raw is None else raw
    return sign(payload, {"alg": "HS256", **(header or {})}, OctKey.import_key(SECRET))


def reason(token: bytes, ring: Any = SHARED) -> RefusalReason:
    result = verify(token, ring, EXPECTED, NOW)
    assert isinstance(result, Refusal)
    assert "\n" not in result.detail
    return result.reason


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_good_token_of_a_shared_key_names_its_subject(algorithm: str) -> None:
    token = sign(json.dumps(CLAIMS).encode(), {"alg": algorithm}, OctKey.import_key(SECRET))
    assert verify(token, SHARED, EXPECTED, NOW) == ANA


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")  # the signing side, here only
@pytest.mark.parametrize(
    ("algorithm", "key"), [("RS256", RSA), ("PS512", RSA), ("ES256", EC), ("EdDSA", ED), ("Ed25519", ED)]
)
@pytest.mark.parametrize("named", [True, False])
def test_good_token_of_a_public_key_names_its_subject(algorithm: str, key: Any, named: bool) -> None:
    header = {"alg": algorithm, **({"kid": key.kid} if named else {})}
    assert verify(sign(json.dumps(CLAIMS).encode(), header, key), RING, EXPECTED, NOW) == ANA


@pytest.mark.parametrize(
    ("header", "more"),
    [
        ({"typ": "logout+jwt"}, {}),
        ({"typ": "application/secevent+jwt"}, {}),
        ({}, {"nonce": "n-0S6_WzA2Mj"}),
        ({}, {"at_hash": "77QmUPtjPfzWtF2AnpK9RQ"}),
        ({}, {"events": {"http://schemas.openid.net/event/backchannel-logout": {}}}),
        ({}, {"typ": "ID"}),
        ({}, {"typ": "Refresh"}),
        ({}, {"token_use": "id"}),
        ({"typ": "at+jwt"}, {"typ": "ID"}),
    ],
)
def test_token_made_for_another_purpose_is_refused(header: dict[str, Any], more: dict[str, Any]) -> None:
    token = hs256({**CLAIMS, **more}, header=header)
    assert reason(token) is RefusalReason.NOT_AN_ACCESS_TOKEN


@pytest.mark.parametrize(
    ("header", "more"),
    [
        ({"typ": "JWT"}, {}),
        ({"typ": "at+jwt"}, {"nonce": "n"}),
        ({"typ": "application/at+JWT"}, {}),
        ({"typ": "JWT"}, {"typ": "Bearer", "nonce": "n"}),
        ({}, {"token_use": "access"}),
    ],
)
def test_access_token_of_any_issuer_is_good(header: dict[str, Any], more: dict[str, Any]) -> None:
    assert verify(hs256({**CLAIMS, **more}, header=header), SHARED, EXPECTED, NOW) == ANA


@pytest.mark.parametrize(
    "times", [{"exp": AT + 90_000}, {"iat": AT - 90_000, "exp": AT + 60}, {"exp": 1e300}, {"exp": 10**400}]
)
def test_token_that_is_good_for_longer_than_allowed_is_refused(times: dict[str, Any]) -> None:
    claims = {name: value for name, value in CLAIMS.items() if name != "iat"}
    assert reason(hs256({**claims, **times})) is RefusalReason.LIFETIME_TOO_LONG


@pytest.mark.parametrize(
    ("claim", "member"),
    [
        ("https://example.com/roles", {"https://example.com/roles": ["viewer"]}),
        ("resource_access.my.client.roles", {"resource_access": {"my.client": {"roles": ["viewer"]}}}),
        ("a.b", {"a.b": ["viewer"], "a": {"b": ["operator"]}}),
    ],
)
def test_roles_may_stand_in_a_claim_whose_name_has_dots(claim: str, member: dict[str, Any]) -> None:
    expected = replace(EXPECTED, roles_claim=claim)
    assert verify(hs256({**CLAIMS, **member}), SHARED, expected, NOW) == Identity(
        "ana", frozenset({Role.VIEWER})
    )


def test_roles_come_from_the_claim_that_is_configured() -> None:
    expected = replace(EXPECTED, roles_claim="realm_access.roles")
    token = hs256({**CLAIMS, "roles": ["finance"], "realm_access": {"roles": ["viewer"]}})
    assert verify(token, SHARED, expected, NOW) == Identity("ana", frozenset({Role.VIEWER}))


@pytest.mark.parametrize("roles", [None, "operator", {"operator": True}, 7, [["operator"]], []])
def test_roles_of_another_shape_are_no_roles(roles: object) -> None:
    assert verify(hs256({**CLAIMS, "roles": roles}), SHARED, EXPECTED, NOW) == Identity("ana", frozenset())


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"iss": "https://evil.example.com"}, RefusalReason.ISSUER_WRONG),
        ({"iss": [EXPECTED.issuer]}, RefusalReason.ISSUER_WRONG),
        ({"iss": None}, RefusalReason.CLAIM_MISSING),
        ({"aud": "another"}, RefusalReason.AUDIENCE_WRONG),
        ({"aud": ["another"]}, RefusalReason.AUDIENCE_WRONG),
        ({"aud": []}, RefusalReason.AUDIENCE_WRONG),
        ({"exp": AT - LEEWAY_SECONDS}, RefusalReason.TOKEN_EXPIRED),
        ({"exp": AT - LEEWAY_SECONDS - 0.5}, RefusalReason.TOKEN_EXPIRED),
        ({"exp": str(AT + 600)}, RefusalReason.CLAIM_INVALID),
        ({"exp": True}, RefusalReason.CLAIM_INVALID),
        ({"exp": None}, RefusalReason.CLAIM_MISSING),
        ({"nbf": AT + LEEWAY_SECONDS + 1}, RefusalReason.TOKEN_NOT_YET_VALID),
        ({"nbf": "soon"}, RefusalReason.CLAIM_INVALID),
        ({"iat": AT + LEEWAY_SECONDS + 1}, RefusalReason.TOKEN_NOT_YET_VALID),
        ({"iat": 10**400}, RefusalReason.TOKEN_NOT_YET_VALID),
        ({"sub": None}, RefusalReason.CLAIM_MISSING),
        ({"sub": 7}, RefusalReason.CLAIM_INVALID),
        ({"sub": ""}, RefusalReason.CLAIM_INVALID),
        ({"sub": "x" * 201}, RefusalReason.SUBJECT_NOT_ALLOWED),
        ({"sub": "a\0b"}, RefusalReason.SUBJECT_NOT_ALLOWED),
        ({"sub": "\ud800"}, RefusalReason.SUBJECT_NOT_ALLOWED),
        ({"sub": "ѕtripe"}, RefusalReason.SUBJECT_NOT_ALLOWED),  # noqa: RUF001 - begins with a Cyrillic letter
        ({"sub": "stripe"}, RefusalReason.SUBJECT_NOT_ALLOWED),
        ({"sub": " Stripe"}, RefusalReason.SUBJECT_NOT_ALLOWED),
        ({"sub": "SYSTEM"}, RefusalReason.SUBJECT_NOT_ALLOWED),
        ({"sub": "cli"}, RefusalReason.SUBJECT_NOT_ALLOWED),
        ({"sub": "sms:7"}, RefusalReason.SUBJECT_NOT_ALLOWED),
    ],
)
def test_wrong_claim_is_refused(changed: dict[str, Any], expected: RefusalReason) -> None:
    assert reason(hs256({**CLAIMS, **changed})) is expected


@pytest.mark.parametrize(
    "changed", [{"exp": AT + 0.5}, {"aud": ["x", "plumbline"]}, {"exp": AT + 1 - LEEWAY_SECONDS}]
)
def test_unusual_but_right_claim_is_accepted(changed: dict[str, Any]) -> None:
    assert verify(hs256({**CLAIMS, **changed}), SHARED, EXPECTED, NOW) == ANA


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"null",
        b"\xff",
        b'{"exp": NaN}',
        b'{"a": ' + b"9" * 4500 + b"}",
        b'{"a": ' + b"[" * 2500,
        json.dumps(CLAIMS).encode()[:-1] + b', "sub": "ben"}',
        json.dumps(CLAIMS).encode("utf-16"),
    ],
)
def test_claims_that_are_no_plain_json_object_are_malformed(raw: bytes) -> None:
    assert reason(hs256(raw=raw)) is RefusalReason.TOKEN_MALFORMED


def test_repeated_member_of_the_header_is_malformed() -> None:
    header = b'{"alg":"none","alg":"HS256"}'
    assert reason(mac(header, json.dumps(CLAIMS).encode(), SECRET)) is RefusalReason.TOKEN_MALFORMED


@pytest.mark.parametrize("kid", [7, ["rsa"], {"a": 1}, True])
def test_kid_that_is_no_text_is_malformed(kid: object) -> None:
    header = b64(json.dumps({"alg": "RS256", "kid": kid}).encode())
    assert reason(header + b"." + b64(b"{}") + b".AA", RING) is RefusalReason.TOKEN_MALFORMED


@pytest.mark.parametrize("algorithm", ["none", "None", "HS256", "RS256 ", "", 7, None, ["RS256"]])
def test_algorithm_that_public_keys_do_not_have_is_refused(algorithm: object) -> None:
    header = b64(json.dumps({"alg": algorithm, "kid": "rsa"}).encode())
    assert (
        reason(header + b"." + b64(json.dumps(CLAIMS).encode()) + b".", RING)
        is RefusalReason.ALGORITHM_NOT_ALLOWED
    )


def test_hmac_with_the_public_key_as_its_secret_is_refused() -> None:
    pem = RSA.as_pem(private=False).decode()
    token = mac(b'{"alg":"HS256","kid":"rsa"}', json.dumps(CLAIMS).encode(), pem)
    assert reason(token, RING) is RefusalReason.ALGORITHM_NOT_ALLOWED


def test_key_of_another_kind_than_the_algorithm_is_refused() -> None:
    token = sign(json.dumps(CLAIMS).encode(), {"alg": "ES256", "kid": "rsa"}, EC)
    assert reason(token, RING) is RefusalReason.ALGORITHM_NOT_ALLOWED


def test_shared_key_verifies_no_hash_longer_than_itself() -> None:
    ring = shared_key(SECRET[:32])
    token = sign(json.dumps(CLAIMS).encode(), {"alg": "HS512"}, OctKey.import_key(SECRET[:32]))
    assert reason(token, ring) is RefusalReason.ALGORITHM_NOT_ALLOWED


def test_key_that_states_its_algorithm_verifies_no_other() -> None:
    ring = read_jwks(json.dumps({"keys": [{**PUBLIC[0], "alg": "PS256"}]}).encode())
    token = sign(json.dumps(CLAIMS).encode(), {"alg": "RS256", "kid": "rsa"}, RSA)
    assert reason(token, ring) is RefusalReason.ALGORITHM_NOT_ALLOWED


@pytest.mark.parametrize("key_id", ["old and new", None])
def test_keys_with_one_kid_or_without_are_all_tried(key_id: str | None) -> None:
    other = RSAKey.generate_key(2048)
    members = [{**key.as_dict(private=False), "kid": key_id} for key in (EC, other, RSA)]
    ring = read_jwks(json.dumps({"keys": members}).encode())
    token = sign(json.dumps(CLAIMS).encode(), {"alg": "RS256", "kid": key_id or "any"}, RSA)
    assert verify(token, ring, EXPECTED, NOW) == ANA


def test_unknown_kid_is_key_unknown() -> None:
    token = sign(json.dumps(CLAIMS).encode(), {"alg": "RS256", "kid": "other"}, RSA)
    assert reason(token, RING) is RefusalReason.KEY_UNKNOWN


def test_key_that_the_token_brings_along_is_not_looked_at() -> None:
    own = RSAKey.generate_key(2048)
    header = {
        "alg": "RS256",
        "kid": "rsa",
        "jwk": own.as_dict(private=False),
        "jku": "https://evil.example.com",
    }
    assert reason(sign(json.dumps(CLAIMS).encode(), header, own), RING) is RefusalReason.SIGNATURE_INVALID


def test_changed_claims_and_cut_signature_are_invalid() -> None:
    header, _, signature = hs256().split(b".")
    forged = b64(json.dumps({**CLAIMS, "roles": ["finance"]}).encode())
    assert reason(b".".join([header, forged, signature])) is RefusalReason.SIGNATURE_INVALID
    assert reason(hs256()[:-4]) is RefusalReason.SIGNATURE_INVALID
    assert reason(hs256().rpartition(b".")[0] + b".") is RefusalReason.SIGNATURE_INVALID


def test_critical_extension_is_refused() -> None:
    header = b64(b'{"alg":"HS256","crit":["exp"],"exp":1}')
    assert reason(header + b"." + b64(b"{}") + b".AA") is RefusalReason.EXTENSION_NOT_SUPPORTED


def test_huge_token_is_refused_before_it_is_looked_at() -> None:
    assert reason(b"." * (TOKEN_BYTES_MAX + 1)) is RefusalReason.TOKEN_TOO_LARGE


@settings(deadline=None)
@given(
    token=st.binary(max_size=300)
    | st.builds(lambda *p: b".".join(map(b64, p)), *[st.binary(max_size=80)] * 3)
)
def test_any_bytes_are_a_typed_refusal(token: bytes) -> None:
    assert isinstance(verify(token, RING, EXPECTED, NOW), Refusal)
    assert isinstance(verify(token, SHARED, EXPECTED, NOW), Refusal)


_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
_NAMES = st.text(max_size=5)
JSON = st.recursive(
    _SCALARS, lambda x: st.lists(x, max_size=3) | st.dictionaries(_NAMES, x, max_size=3), max_leaves=6
)
HEADER_MEMBERS = st.sampled_from(["kid", "typ", "jwk", "jku", "cty", "x5c", "x5u", "b64"])
CLAIM_NAMES = st.sampled_from([*CLAIMS, "nbf", "iat"])


@settings(deadline=None)  # the first example imports and the machine may be busy
@given(header=st.dictionaries(HEADER_MEMBERS, JSON), changed=st.dictionaries(CLAIM_NAMES, JSON))
def test_whatever_a_signed_token_says_it_never_raises(
    header: dict[str, Any], changed: dict[str, Any]
) -> None:
    token = mac(
        json.dumps({**header, "alg": "HS256"}).encode(), json.dumps({**CLAIMS, **changed}).encode(), SECRET
    )
    assert isinstance(verify(token, SHARED, EXPECTED, NOW), Identity | Refusal)


def test_however_deep_the_header_is_nested_it_never_raises() -> None:
    # The header is parsed twice, by us and by the library, at different depths of the stack.
    for depth in range(1, 1400):
        header = b'{"alg":"HS256","x":' + b"[" * depth + b"]" * depth + b"}"
        result = verify(mac(header, json.dumps(CLAIMS).encode(), SECRET), SHARED, EXPECTED, NOW)
        is_malformed = isinstance(result, Refusal) and result.reason is RefusalReason.TOKEN_MALFORMED
        assert result == ANA or is_malformed


@pytest.mark.parametrize("secret", ["", "x" * 31, RSA.as_pem(private=False).decode()])
def test_weak_or_public_shared_key_is_refused(secret: str) -> None:
    with pytest.raises(UnusableKeyError):
        shared_key(secret)


@pytest.mark.filterwarnings("ignore:Key size")  # of the library, for the short RSA key
@pytest.mark.parametrize(
    "keys",
    [
        None,
        {},
        [],
        [7, "x", None, {}],
        [{"kty": "oct", "k": "AAAA"}],
        [{**PUBLIC[0], "use": "enc"}],
        [{**PUBLIC[0], "alg": "RSA-OAEP"}],
        [{**PUBLIC[0], "key_ops": ["encrypt"]}],
        [{"kty": "RSA", "n": "!!", "e": "AQAB"}],
        [{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}],
        *([OKPKey.generate_key(curve).as_dict(private=False)] for curve in ("X25519", "Ed448")),
        [ECKey.generate_key("secp256k1").as_dict(private=False)],
        [{"kty": "RSA", "e": "AQAB", "n": b64(b"\x80" + b"\1" * 127).decode()}],
        PUBLIC * 30,
    ],
)
def test_key_set_without_a_usable_key_is_refused(keys: object) -> None:
    with pytest.raises(UnusableKeyError):
        read_jwks(json.dumps({"keys": keys}).encode())
