"""Verify tokens: a pure function of token, keys and time (RFC 7519, RFC 8725).

joserfc decodes the token, verifies the signature and validates the registered claims. Rules of this module:
size, strict JSON, which key may verify, purpose of the token, longest lifetime, subject and roles. No claim
is used before the signature is verified. Keys named in the token (`jku`, `x5u`, `jwk`, `x5c`) are ignored.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from joserfc import jwt
from joserfc.errors import (
    BadSignatureError,
    ExpiredTokenError,
    InvalidClaimError,
    JoseError,
    MissingClaimError,
    UnsupportedAlgorithmError,
)
from joserfc.jwa import JWSAlgModel
from joserfc.jws import JWSRegistry
from joserfc.util import urlsafe_b64decode

from chassis.auth.identity import Identity, Refusal, RefusalReason, Role
from chassis.auth.keys import KeyRing, is_key_for
from chassis.auth.strict_json import NotJsonError, read_object
from contracts.actors import is_reserved

TOKEN_BYTES_MAX = 8 * 1024
LEEWAY_SECONDS = 30  # allowed difference between the clocks of issuer and service
SUBJECT_CHARACTERS_MAX = 200

# RecursionError: the library parses the header again, a few calls deeper than this module.
_UNREADABLE_ERRORS = (JoseError, ValueError, TypeError, RecursionError)

_TYPES = ("jwt", "at+jwt")
_TYPES_TEXT = " or ".join(_TYPES)
_ACCESS_MARKS = frozenset({"bearer", "access", "jwt", "at+jwt"})
_OTHER_TOKENS_CLAIMS = ("nonce", "at_hash", "c_hash", "s_hash", "events")
_REGISTERED_CLAIMS = ("iss", "aud", "exp", "nbf", "iat", "sub")

_FORM = re.compile(rb"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class Expectation:
    """The values that a token must have.

    Attributes:
        issuer: `iss`.
        audience: in `aud`.
        roles_claim: name of the claim with the list of roles, or the path to it with dots between names.
        lifetime_seconds_max: longest time from `iat` (without one: from now) to `exp`.
    """

    issuer: str
    audience: str
    roles_claim: str
    lifetime_seconds_max: int


class _OneAlgorithm(JWSRegistry):
    # joserfc warns against the name "EdDSA" (RFC 9864), which most issuers still write: no warning per token.
    max_header_length = TOKEN_BYTES_MAX

    def get_alg(self, name: str) -> JWSAlgModel:
        if not self.allowed or name not in self.allowed:
            raise UnsupportedAlgorithmError
        return self.algorithms[name]


class _RefusedError(Exception):
    def __init__(self, reason: RefusalReason, detail: str) -> None:
        self.refusal = Refusal(reason, detail)


def verify(token: bytes, ring: KeyRing, expected: Expectation, now: datetime) -> Identity | Refusal:
    """Return the caller that the token names, or why the token is refused. Never raise for any bytes."""
    try:
        header = _header(token)
        claims = _verified_claims(token, header, ring)
        _require_access_token(header, claims)
        _require_registered_claims(claims, expected, now)
        _require_lifetime(claims, expected.lifetime_seconds_max, now)
        return Identity(_subject(claims["sub"]), _roles(claims, expected.roles_claim))
    except _RefusedError as refused:
        return refused.refusal


def _header(token: bytes) -> Mapping[str, Any]:
    """Return the header of a well-formed token. No signature is verified yet."""
    if len(token) > TOKEN_BYTES_MAX:
        raise _RefusedError(
            RefusalReason.TOKEN_TOO_LARGE, f"the token is longer than {TOKEN_BYTES_MAX} bytes"
        )
    form = _FORM.fullmatch(token)
    if form is None:
        raise _RefusedError(
            RefusalReason.TOKEN_MALFORMED, "the token is not three base64url parts with dots between"
        )
    try:
        # The claims are only checked here: the library also reads repeated members, NaN and UTF-16.
        header, _ = (read_object(urlsafe_b64decode(part)) for part in form.groups())
    except NotJsonError as error:
        raise _RefusedError(RefusalReason.TOKEN_MALFORMED, f"the token's header or claims: {error}") from None
    except (ValueError, TypeError):
        raise _RefusedError(RefusalReason.TOKEN_MALFORMED, "a part of the token is not base64url") from None
    if str(header.get("typ", "JWT")).lower().removeprefix("application/") not in _TYPES:
        raise _RefusedError(RefusalReason.NOT_AN_ACCESS_TOKEN, f"the token's typ is none of {_TYPES_TEXT}")
    if "crit" in header:
        raise _RefusedError(
            RefusalReason.EXTENSION_NOT_SUPPORTED,
            "the token's header has crit, and no extension is understood",
        )
    return header


def _verified_claims(token: bytes, header: Mapping[str, Any], ring: KeyRing) -> dict[str, Any]:
    """Return the claims if a key that may verify the token's algorithm made the signature.

    joserfc's `KeySet` would take the first key with the `kid`. Here a token without a `kid` is tried with
    every key that fits, and two keys may share a `kid` while an issuer changes algorithms.
    """
    algorithm, kid = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or algorithm not in ring.algorithms:
        allowed = ", ".join(sorted(ring.algorithms))
        raise _RefusedError(RefusalReason.ALGORITHM_NOT_ALLOWED, f"the token's alg is none of {allowed}")
    if not isinstance(kid, str | None):
        raise _RefusedError(RefusalReason.TOKEN_MALFORMED, "the token's kid is not a string")
    candidates = ring.candidates(kid)
    if not candidates:
        raise _RefusedError(RefusalReason.KEY_UNKNOWN, "the issuer has no key with the token's kid")
    fitting = [key for key in candidates if is_key_for(key, algorithm)]
    if not fitting:
        raise _RefusedError(
            RefusalReason.ALGORITHM_NOT_ALLOWED, "the token's alg does not fit the key of its kid"
        )
    registry = _OneAlgorithm(algorithms=[algorithm], strict_check_header=False)
    for key in fitting:
        try:
            return jwt.decode(token, key, registry=registry).claims
        except BadSignatureError:
            continue
        except _UNREADABLE_ERRORS:
            raise _RefusedError(
                RefusalReason.TOKEN_MALFORMED, "the token's header has a member of a wrong kind"
            ) from None
    raise _RefusedError(RefusalReason.SIGNATURE_INVALID, "no key of the issuer made the token's signature")


def _require_access_token(header: Mapping[str, Any], claims: Mapping[str, Any]) -> None:
    """Refuse tokens that the issuer made for another purpose (RFC 8725 §3.11, RFC 9068 §5).

    OpenID Connect has ID tokens and logout tokens too. Issuers mark access tokens by `typ` in the header
    (RFC 9068), by a claim `typ` (Keycloak) or by a claim `token_use` (Cognito). A token without a mark is
    refused if it has a claim that only ID and logout tokens have.
    """
    marks = [str(claims[name]).lower() for name in ("typ", "token_use") if name in claims]
    if any(mark not in _ACCESS_MARKS for mark in marks):
        raise _RefusedError(RefusalReason.NOT_AN_ACCESS_TOKEN, "the token is marked as no access token")
    is_marked = bool(marks) or "at+jwt" in str(header.get("typ", "")).lower()
    foreign_claims = [name for name in _OTHER_TOKENS_CLAIMS if name in claims]
    if foreign_claims and not is_marked:
        raise _RefusedError(
            RefusalReason.NOT_AN_ACCESS_TOKEN,
            f"the token has {foreign_claims[0]}, as ID and logout tokens do: send an access token",
        )


def _require_registered_claims(claims: Mapping[str, Any], expected: Expectation, now: datetime) -> None:
    registry = jwt.JWTClaimsRegistry(
        now=int(now.timestamp()),
        leeway=LEEWAY_SECONDS,
        iss={"essential": True, "value": expected.issuer},
        aud={"essential": True, "value": expected.audience},
        exp={"essential": True},
        sub={"essential": True},
    )
    try:
        registry.validate({name: claims[name] for name in _REGISTERED_CLAIMS if name in claims})
    except MissingClaimError as error:
        raise _RefusedError(RefusalReason.CLAIM_MISSING, f"the token has no {error.claim}") from None
    except ExpiredTokenError:
        raise _RefusedError(RefusalReason.TOKEN_EXPIRED, "the token has expired: get a new one") from None
    except InvalidClaimError as error:
        raise _RefusedError(*_invalid(error.claim, claims[error.claim], expected)) from None


def _require_lifetime(claims: Mapping[str, Any], seconds_max: int, now: datetime) -> None:
    # Compared, not subtracted: an `exp` may be an integer that no float can hold.
    if claims["exp"] > claims.get("iat", now.timestamp()) + seconds_max + LEEWAY_SECONDS:
        raise _RefusedError(
            RefusalReason.LIFETIME_TOO_LONG,
            f"the token is valid for more than {seconds_max} s (AUTH_JWT_LIFETIME_SECONDS_MAX)",
        )


def _invalid(claim: str, value: object, expected: Expectation) -> tuple[RefusalReason, str]:
    if claim == "iss":
        return RefusalReason.ISSUER_WRONG, f"the token was not issued by {expected.issuer}"
    if claim == "aud":
        return RefusalReason.AUDIENCE_WRONG, f"the token is not for {expected.audience}"
    if claim in {"nbf", "iat"} and isinstance(value, int | float) and not isinstance(value, bool):
        return RefusalReason.TOKEN_NOT_YET_VALID, f"the token's {claim} is in the future: compare clocks"
    return RefusalReason.CLAIM_INVALID, f"the token's {claim} has not the form of RFC 7519"


def _subject(subject: str) -> str:
    # ASCII (OpenID Connect Core §2): no subject can look like another one.
    if not 1 <= len(subject) <= SUBJECT_CHARACTERS_MAX or not subject.isascii() or not subject.isprintable():
        raise _RefusedError(
            RefusalReason.SUBJECT_NOT_ALLOWED,
            f"the token's sub is not 1 to {SUBJECT_CHARACTERS_MAX} printable ASCII characters",
        )
    if subject != subject.strip():
        raise _RefusedError(RefusalReason.SUBJECT_NOT_ALLOWED, "the token's sub has spaces around it")
    if is_reserved(subject):
        raise _RefusedError(RefusalReason.SUBJECT_NOT_ALLOWED, "the token's sub is the name of a service")
    return subject


def _roles(claims: Mapping[str, Any], claim: str) -> frozenset[Role]:
    """Return the roles of this system that the claim lists. Other names belong to other applications."""
    value = _claim(claims, claim.split("."))
    if not isinstance(value, list):
        return frozenset()
    names = cast("list[object]", value)
    return frozenset(role for role in Role if role.value in names)


def _claim(claims: Mapping[str, Any], names: Sequence[str]) -> object:
    """Return the claim at a path, or None. A name may contain dots: the longest match wins."""
    for length in range(len(names), 0, -1):
        value = claims.get(".".join(names[:length]))
        if length == len(names) and value is not None:
            return value
        if isinstance(value, dict):
            return _claim(cast("dict[str, Any]", value), names[length:])
    return None
