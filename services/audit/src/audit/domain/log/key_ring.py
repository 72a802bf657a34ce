"""The keys of one log: those that sign now, and earlier ones whose signatures still count."""

from dataclasses import dataclass

from audit.domain.log.keys import InvalidKeyError, KeyType, SigningKey, VerifierKey, parse_signing_key

_NAMES = {
    KeyType.ED25519: "an Ed25519 key",
    KeyType.ED25519_COSIGNATURE: "an Ed25519 key of a witness",
    KeyType.MLDSA44_COSIGNATURE: "an ML-DSA-44 key",
}


@dataclass(frozen=True, slots=True)
class KeyRing:
    """Keys of a log.

    Attributes:
        origin: name of the log and of all its keys.
        signers: one of each type; each signs every checkpoint.
        verifiers: of the signers and of earlier keys.
    """

    origin: str
    signers: tuple[SigningKey, ...]
    verifiers: tuple[VerifierKey, ...]

    def signs(self, key: VerifierKey) -> bool:
        """Return whether new checkpoints are signed with this key."""
        return any(signer.verifier == key for signer in self.signers)


def read_keys(text: str, key_type: KeyType) -> list[SigningKey]:
    """Read the keys of a key file, one a line: the first signs, the others are earlier keys.

    Raises:
        InvalidKeyError: a line is no key of this type. The message does not show it.
    """
    keys = [parse_signing_key(line) for line in text.splitlines() if line.strip()]
    if not keys:
        raise InvalidKeyError("there is no key in it")
    for key in keys:
        if key.type is not key_type:
            raise InvalidKeyError(
                f"the key {key.verifier.id.hex()} is {_NAMES[key.type]}, and {_NAMES[key_type]} belongs here"
            )
        if key.name != keys[0].name:
            raise InvalidKeyError(f"its keys have two names: {keys[0].name} and {key.name}")
    return keys


def build_key_ring(ed25519: list[SigningKey], mldsa: list[SigningKey], origin: str | None) -> KeyRing:
    """Return the keys of a log; `origin` is None for the name of its keys.

    Raises:
        InvalidKeyError: a key has another name than the log.
    """
    name = origin or ed25519[0].name
    for key in (*ed25519, *mldsa):
        if key.name != name:
            raise InvalidKeyError(_other_log(key, name, origin))
    return KeyRing(
        name,
        signers=(ed25519[0], *mldsa[:1]),
        verifiers=tuple(key.verifier for key in (*ed25519, *mldsa)),
    )


def _other_log(key: SigningKey, name: str, origin: str | None) -> str:
    setting = "AUDIT_SIGNING_KEY" if key.type is KeyType.ED25519 else "AUDIT_MLDSA_KEY"
    named_by = "AUDIT_LOG_ORIGIN" if origin else "AUDIT_SIGNING_KEY"
    return (
        f"{setting}: the key {key.verifier.id.hex()} has the name {key.name}, and the log is {name}"
        f" ({named_by}): give this log's own key, or correct AUDIT_LOG_ORIGIN"
    )
