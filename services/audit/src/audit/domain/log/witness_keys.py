"""Keys of a witness: it signs with all of them, one of each type."""

from collections.abc import Sequence

from audit.domain.log.keys import InvalidKeyError, KeyType, SigningKey, is_key_name, parse_signing_key

WITNESS_TYPES = (KeyType.ED25519_COSIGNATURE, KeyType.MLDSA44_COSIGNATURE)
_NAME_BYTES_MAX = 255


def read_witness_keys(text: str) -> list[SigningKey]:
    """Read the signing keys of a witness, one a line.

    Raises:
        InvalidKeyError: they are none. The message does not show them.
    """
    keys = [parse_signing_key(line.strip()) for line in text.splitlines() if line.strip()]
    if not keys:
        raise InvalidKeyError("there is no key in it; `audit witness new-key` writes one")
    for number, key in enumerate(keys):
        if key.type not in WITNESS_TYPES:
            raise InvalidKeyError(
                f"the key {key.verifier.id.hex()} is an Ed25519 key of a log;"
                " `audit witness new-key` writes those of a witness"
            )
        if key.name != keys[0].name:
            raise InvalidKeyError(f"its keys have two names: {keys[0].name} and {key.name}")
        if any(key.type is other.type for other in keys[:number]):
            raise InvalidKeyError(f"there are two keys of type 0x{key.type:02x}; a witness has one of each")
    return keys


def new_witness_keys(name: str, seeds: Sequence[bytes]) -> list[SigningKey]:
    """Return keys of each type.

    Args:
        name: of the witness.
        seeds: 32 random bytes for each type.

    Raises:
        InvalidKeyError: no signature line takes the name.
    """
    if not is_key_name(name) or len(name.encode()) > _NAME_BYTES_MAX:
        raise InvalidKeyError(
            f"{name[:80]!r} is no name of a key: up to {_NAME_BYTES_MAX} bytes, without spaces and plus signs"
        )
    return [SigningKey(name, key_type, seed) for key_type, seed in zip(WITNESS_TYPES, seeds, strict=True)]
