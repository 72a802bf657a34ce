"""Keys that verify tokens. The key decides which algorithm it verifies, never the token (RFC 8725 §3.1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key, OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from chassis.auth.strict_json import NotJsonError, read_object

JWKS_KEYS_MAX = 64
RSA_BITS_MIN = 2048  # RFC 7518 §3.3
SHARED_KEY_BYTES_MIN = 32

# At least as long as the output of the hash (RFC 7518 §3.2).
_HMAC_BYTES_MIN = {"HS256": 32, "HS384": 48, "HS512": 64}
PUBLIC_KEY_ALGORITHMS = frozenset(
    ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"]
)
# Members of a JWK that are imported. Others, a private part among them, are not.
_JWK_MEMBERS = ("kid", "alg", "kty", "n", "e", "crv", "x", "y")


class UnusableKeyError(ValueError):
    """A key or a key set cannot be used. The message says why and contains nothing of a secret."""


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The keys of one issuer, and the algorithms that its tokens may state."""

    algorithms: frozenset[str]
    keys: Sequence[Key]

    def candidates(self, kid: str | None) -> list[Key]:
        """Return the keys that a token with this `kid` may mean; a token or key without `kid` matches all."""
        return [key for key in self.keys if kid is None or key.kid is None or key.kid == kid]


def is_key_for(key: Key, algorithm: str) -> bool:
    """Return whether the type, the curve and the `alg` of the key allow the algorithm."""
    try:
        JWSRegistry.algorithms[algorithm].check_key(key)
    except JoseError:
        return False
    return True


def shared_key(secret: str) -> KeyRing:
    """Return the ring of a shared key (AUTH_JWT_KEY). The key's bytes are the UTF-8 of `secret`.

    Raises:
        UnusableKeyError: `secret` is too short, or is a public key, which is known to everybody.
    """
    raw = secret.encode()
    if len(raw) < SHARED_KEY_BYTES_MIN:
        raise UnusableKeyError(f"a shared key has at least {SHARED_KEY_BYTES_MIN} bytes")
    if "-----BEGIN" in secret or secret.startswith(("ssh-", "ecdsa-")):
        raise UnusableKeyError(
            "this is a PEM or SSH key, no shared secret; give AUTH_JWKS_URL for public keys"
        )
    algorithms = frozenset(name for name, bytes_min in _HMAC_BYTES_MIN.items() if len(raw) >= bytes_min)
    return KeyRing(algorithms, (OctKey.import_key(raw),))


def read_jwks(body: bytes) -> KeyRing:
    """Return the ring of a JWK Set (RFC 7517 §5). Keys of other types or for other uses are skipped.

    Raises:
        UnusableKeyError: `body` is no JWK Set, has too many keys, or none that verifies signatures.
    """
    try:
        members = read_object(body).get("keys")
    except NotJsonError as error:
        raise UnusableKeyError(f"the key set is not JSON: {error}") from error
    if not isinstance(members, list):
        raise UnusableKeyError('the key set has no list "keys"')
    jwks = cast("list[object]", members)
    if len(jwks) > JWKS_KEYS_MAX:
        raise UnusableKeyError(f"the key set has more than {JWKS_KEYS_MAX} keys")
    keys = [key for jwk in jwks if (key := _verification_key(jwk)) is not None]
    if not keys:
        raise UnusableKeyError("the key set has no RSA, EC or Ed25519 key for verifying signatures")
    return KeyRing(PUBLIC_KEY_ALGORITHMS, keys)


def _verification_key(jwk: object) -> Key | None:
    if not isinstance(jwk, dict):
        return None
    members = cast("dict[str, Any]", jwk)
    operations = members.get("key_ops", ["verify"])
    if members.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations:
        return None
    try:
        key = JWKRegistry.import_key({n: members[n] for n in _JWK_MEMBERS if members.get(n) is not None})
        is_weak = isinstance(key, RSAKey) and key.public_key.key_size < RSA_BITS_MIN
    except (JoseError, ValueError, TypeError, KeyError, OverflowError):  # a broken key must not hide others
        return None
    is_other_curve = isinstance(key, OKPKey) and key.curve_name != "Ed25519"  # EdDSA alone allows Ed448 too
    if is_weak or is_other_curve or not any(is_key_for(key, name) for name in PUBLIC_KEY_ALGORITHMS):
        return None
    return key
