"""Keys that tokens are verified with. Each states its algorithms: a token never chooses (RFC 8725 §3.1)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey

from chassis.auth.strict_json import NotJsonError, read_object

JWKS_KEYS_MAX = 64
RSA_BITS_MIN = 2048
"""RFC 7518 §3.3."""

SHARED_KEY_BYTES_MIN = 32
_HMAC_BYTES_MIN = {"HS256": 32, "HS384": 48, "HS512": 64}
"""As long as the hash's output, or longer (RFC 7518 §3.2)."""

_RSA_ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
_CURVE_ALGORITHMS = {
    "P-256": frozenset({"ES256"}),
    "P-384": frozenset({"ES384"}),
    "P-521": frozenset({"ES512"}),
    "Ed25519": frozenset({"EdDSA", "Ed25519"}),
}
PUBLIC_KEY_ALGORITHMS = _RSA_ALGORITHMS.union(*_CURVE_ALGORITHMS.values())
_KINDS: Mapping[str, type[RSAKey | ECKey | OKPKey]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}


class UnusableKeyError(ValueError):
    """A key or a set of keys cannot be used; the message says why, and holds nothing of a secret."""


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """One key, the name that tokens call it by (None: it has none), and what it may verify."""

    kid: str | None
    algorithms: frozenset[str]
    key: Key


@dataclass(frozen=True, slots=True)
class KeyRing:
    """All keys of one issuer, and every algorithm that a key of this kind could ever verify."""

    algorithms: frozenset[str]
    keys: Sequence[VerificationKey]

    def named(self, kid: str | None) -> list[VerificationKey]:
        """Those that a token with this `kid` can mean: a name on one side only excludes nothing."""
        return [key for key in self.keys if kid is None or key.kid is None or key.kid == kid]


def shared_key(secret: str) -> KeyRing:
    """The ring of a shared key (AUTH_JWT_KEY), whose bytes are its UTF-8.

    Raises:
        UnusableKeyError: too short, or a public key, which everybody knows.
    """
    raw = secret.encode()
    if len(raw) < SHARED_KEY_BYTES_MIN:
        raise UnusableKeyError(f"a shared key has at least {SHARED_KEY_BYTES_MIN} bytes")
    if "-----BEGIN" in secret or secret.startswith(("ssh-", "ecdsa-")):
        raise UnusableKeyError(
            "this is a PEM or SSH key, no shared secret; give AUTH_JWKS_URL for public keys"
        )
    algorithms = frozenset(name for name, least in _HMAC_BYTES_MIN.items() if len(raw) >= least)
    return KeyRing(algorithms, (VerificationKey(None, algorithms, OctKey.import_key(raw)),))


def read_jwks(body: bytes) -> KeyRing:
    """The ring of a JWK Set (RFC 7517 §5). Keys for other purposes, or of unknown kinds, are passed over.

    Raises:
        UnusableKeyError: not a JWK Set, too many keys in it, or none that verifies signatures.
    """
    try:
        listed = read_object(body).get("keys")
    except NotJsonError as error:
        raise UnusableKeyError(f"the key set is not JSON: {error}") from error
    if not isinstance(listed, list):
        raise UnusableKeyError('the key set has no list "keys"')
    members = cast("list[object]", listed)
    if len(members) > JWKS_KEYS_MAX:
        raise UnusableKeyError(f"the key set has more than {JWKS_KEYS_MAX} keys")
    found = [key for member in members if (key := _verification_key(member)) is not None]
    if not found:
        raise UnusableKeyError("the key set has no RSA, EC or Ed25519 key for verifying signatures")
    return KeyRing(PUBLIC_KEY_ALGORITHMS, found)


def _verification_key(member: object) -> VerificationKey | None:
    if not isinstance(member, dict):
        return None
    jwk = cast("dict[str, Any]", member)
    kid, kind, operations = jwk.get("kid"), jwk.get("kty"), jwk.get("key_ops", ["verify"])
    is_for_signatures = (
        jwk.get("use", "sig") == "sig" and isinstance(operations, list) and "verify" in operations
    )
    if not is_for_signatures or not isinstance(kid, str | None) or not isinstance(kind, str):
        return None
    algorithms = _algorithms(jwk, kind)
    if not algorithms:
        return None
    try:
        key = _KINDS[kind].import_key(
            {name: jwk[name] for name in ("kty", "n", "e", "crv", "x", "y") if name in jwk}
        )
        too_short = isinstance(key, RSAKey) and key.public_key.key_size < RSA_BITS_MIN
    except (JoseError, ValueError, TypeError, KeyError, OverflowError):  # a key that is none is passed over
        return None
    return None if too_short else VerificationKey(kid, algorithms, key)


def _algorithms(jwk: Mapping[str, Any], kind: str) -> frozenset[str]:
    """What fits the kind of key; one that names its algorithm verifies no other."""
    fitting: frozenset[str] = frozenset()
    if kind == "RSA":
        fitting = _RSA_ALGORITHMS
    elif kind in {"EC", "OKP"}:
        fitting = _CURVE_ALGORITHMS.get(str(jwk.get("crv")), fitting)
    stated = jwk.get("alg")
    return fitting if stated is None else fitting & {str(stated)}
