"""Checkpoints (https://c2sp.org/tlog-checkpoint) and their cosignatures (https://c2sp.org/tlog-cosignature)."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass

from audit.domain.log.keys import KeyType, SigningKey, VerifierKey, decode_base64
from audit.domain.log.notes import Note, NoteError, SignatureLine, lines_by, parse_note
from audit.domain.log.tree import EMPTY_ROOT, HASH_BYTES

SIZE_MAX = 2**63 - 1
TIME_MAX = 2**63 - 1
_TIME_BYTES = 8
_LINES = 3
_NAME_BYTES_MAX = 255


class CheckpointError(NoteError):
    """A note is no checkpoint, or it is not signed as it must be."""


class EmptyRootError(CheckpointError):
    """A checkpoint of size 0 has another root than the empty tree."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log says about itself: the root of its tree at a size."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """Return the text that is signed."""
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n"


@dataclass(frozen=True, slots=True)
class Verified:
    """A signature that was verified. `time` is in seconds since 1970; None where the type has none."""

    key: VerifierKey
    line: SignatureLine
    time: int | None


def read_checkpoint(note: Note) -> Checkpoint:
    """Read the text of a note as a checkpoint; extension lines are ignored.

    Raises:
        CheckpointError: it is none.
    """
    lines = note.text.split("\n")[:-1]
    if len(lines) < _LINES or not all(lines):
        raise CheckpointError("a checkpoint has three lines: origin, size and root")
    origin, size, root = lines[:_LINES]
    if not (size.isascii() and size.isdigit()) or str(int(size[:20])) != size or int(size) > SIZE_MAX:
        raise CheckpointError(f"the size of a checkpoint is a number, not {size[:40]!r}")
    try:
        digest = decode_base64(root)
    except ValueError:
        digest = b""
    if len(digest) != HASH_BYTES:
        raise CheckpointError("the root of a checkpoint is 32 bytes in base64")
    if size == "0" and digest != EMPTY_ROOT:
        raise EmptyRootError("the root of an empty tree is another one")
    return Checkpoint(origin, int(size), digest)


def sign_checkpoint(checkpoint: Checkpoint, keys: Sequence[SigningKey], *, time: int) -> Note:
    """Return the signed checkpoint. `time`: seconds since 1970; a log's Ed25519 key leaves it out."""
    return Note(checkpoint.text(), tuple(cosign(checkpoint, key, time=time) for key in keys))


def cosign(checkpoint: Checkpoint, key: SigningKey, *, time: int) -> SignatureLine:
    """Return the signature line of a key on a checkpoint without extension lines."""
    return _sign(checkpoint.text(), checkpoint, key, time)


def cosign_note(note: Note, key: SigningKey, *, time: int) -> SignatureLine:
    """Return the signature line of a witness's key on somebody else's checkpoint, with its extension lines.

    Raises:
        CheckpointError: the note is no checkpoint, or its origin is too long for the type of the key.
    """
    return _sign(note.text, read_checkpoint(note), key, time)


def _sign(text: str, checkpoint: Checkpoint, key: SigningKey, time: int) -> SignatureLine:
    message = _message(text, checkpoint, key.verifier, time)
    stamp = time.to_bytes(_TIME_BYTES, "big") if key.type.has_time else b""
    return SignatureLine(key.name, key.verifier.id, stamp + key.sign(message))


def verify_signatures(note: Note, keys: Sequence[VerifierKey]) -> list[Verified]:
    """Return the verified signatures of these keys; lines of other keys are ignored.

    Raises:
        CheckpointError: the note is no checkpoint, or a line names one of the keys and is not signed by it.
    """
    checkpoint, verified = read_checkpoint(note), list[Verified]()
    for key, line in lines_by(note, keys):
        time, signature = _split(line, key)
        message = _message(note.text, checkpoint, key, time or 0)
        if not key.verifies(signature, message):
            raise CheckpointError(f"the signature of {key.name} ({key.id.hex()}) is not by this key")
        verified.append(Verified(key, line, time))
    return verified


def open_checkpoint(content: bytes, keys: Sequence[VerifierKey], *, origin: str) -> tuple[Checkpoint, Note]:
    """Read a checkpoint that at least one of the log's keys signed.

    Raises:
        NoteError: the bytes are no checkpoint of this origin, or none of the keys signed it.
    """
    note = parse_note(content)
    checkpoint = read_checkpoint(note)
    if checkpoint.origin != origin:
        raise CheckpointError(f"the checkpoint is of the log {checkpoint.origin!r}, not of {origin!r}")
    if not verify_signatures(note, keys):
        raise CheckpointError(f"the checkpoint has no signature of a known key of {origin}")
    return checkpoint, note


def _split(line: SignatureLine, key: VerifierKey) -> tuple[int | None, bytes]:
    stamp = _TIME_BYTES if key.type.has_time else 0
    if len(line.signature) != stamp + key.type.signature_bytes:
        raise CheckpointError(f"the signature of {key.name} ({key.id.hex()}) has a wrong length")
    time = int.from_bytes(line.signature[:stamp], "big") if stamp else None
    if time is not None and time > TIME_MAX:
        raise CheckpointError(f"the signature of {key.name} ({key.id.hex()}) has a time that is none")
    return time, line.signature[stamp:]


def _message(text: str, checkpoint: Checkpoint, key: VerifierKey, time: int) -> bytes:
    """Return the bytes that a key signs. `text` has the extension lines, which ML-DSA-44 leaves out."""
    if key.type is KeyType.ED25519:
        return text.encode()
    if key.type is KeyType.ED25519_COSIGNATURE:
        return f"cosignature/v1\ntime {time}\n{text}".encode()
    return b"".join(
        (
            b"subtree/v1\n\0",
            _name(key.name),
            time.to_bytes(_TIME_BYTES, "big"),
            _name(checkpoint.origin),
            (0).to_bytes(8, "big"),
            checkpoint.size.to_bytes(8, "big"),
            checkpoint.root,
        )
    )


def _name(name: str) -> bytes:
    encoded = name.encode()
    if not 0 < len(encoded) <= _NAME_BYTES_MAX:
        raise CheckpointError(f"a name of {len(encoded)} bytes: ML-DSA-44 cosignatures take 1 to 255")
    return bytes([len(encoded)]) + encoded
