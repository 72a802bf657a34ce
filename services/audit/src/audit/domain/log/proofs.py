"""Proofs (https://c2sp.org/tlog-proof): an inclusion proof and a signed checkpoint in one text.

`extra` holds the canonical form of the entry, so that a proof needs no other file. It is what is proved: its
leaf hash must lead to the signed root.
"""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass

from audit.domain.log.canonical import SEALED_BYTES_MAX
from audit.domain.log.checkpoints import (
    Checkpoint,
    Verified,
    open_checkpoint,
    read_checkpoint,
    verify_signatures,
)
from audit.domain.log.keys import VerifierKey, decode_base64
from audit.domain.log.notes import parse_note
from audit.domain.log.tree import HASH_BYTES, ProofError, hash_leaf, verify_inclusion

PROOF_BYTES_MAX = 320_000
"""Room for the largest entry and 64 signatures of ML-DSA-44. Most proofs have 3 to 8 KB."""

HASHES_MAX = 63
_FIRST_LINE = "c2sp.org/tlog-proof@v1"
_INDEX_MAX = 2**63 - 1
_INDEX_DIGITS_MAX = 19


class ProofFormatError(ValueError):
    """A text is no tlog-proof."""


class NoEntryError(Exception):
    """Neither the caller nor the proof has the entry: nothing can be verified."""


@dataclass(frozen=True, slots=True)
class TlogProof:
    """A proof, not verified.

    Attributes:
        hashes: inclusion proof, the sibling of the leaf first.
        checkpoint: the signed note, byte for byte.
        extra: canonical form of the entry; None without it.
    """

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes | None = None

    def encode(self) -> bytes:
        """Return the proof as it stands in a file."""
        extra = [] if self.extra is None else [f"extra {_base64(self.extra)}"]
        lines = [_FIRST_LINE, *extra, f"index {self.index}", *map(_base64, self.hashes), "", ""]
        return "\n".join(lines).encode() + self.checkpoint


@dataclass(frozen=True, slots=True)
class Proved:
    """What a verified proof says: this entry is the leaf `index` of the tree of this checkpoint."""

    entry: bytes
    index: int
    checkpoint: Checkpoint
    signatures: Sequence[Verified]


def parse_proof(content: bytes) -> TlogProof:
    """Read a tlog-proof.

    Raises:
        ProofFormatError: the bytes are none.
    """
    if len(content) > PROOF_BYTES_MAX:
        raise ProofFormatError(f"more than {PROOF_BYTES_MAX:,} bytes: no proof is that long")
    head, separator, checkpoint = content.partition(b"\n\n")
    if b"\r" in head:
        raise ProofFormatError("it has carriage returns: a mail program or editor has changed its lines")
    try:
        lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise ProofFormatError("the lines before the checkpoint are not ASCII") from None
    if lines[0] != _FIRST_LINE:
        raise ProofFormatError(f"the first line is not {_FIRST_LINE}")
    if not separator:
        raise ProofFormatError("no empty line and checkpoint follow the hashes")
    del lines[0]
    extra = _extra(lines.pop(0)) if lines and lines[0].startswith("extra ") else None
    if not lines:
        raise ProofFormatError("the line with the index is missing")
    index, *encoded = lines
    if len(encoded) > HASHES_MAX:
        raise ProofFormatError(f"{len(encoded)} hashes: a proof has at most {HASHES_MAX}")
    return TlogProof(_index(index), tuple(map(_hash, encoded)), checkpoint, extra)


def verify_proof(
    proof: TlogProof,
    keys: Sequence[VerifierKey],
    *,
    origin: str,
    entry: bytes | None,
    witnesses: Sequence[VerifierKey] = (),
) -> Proved:
    """Verify a proof.

    Args:
        proof: to verify.
        keys: of the log, one of which must have signed the checkpoint; also of others, such as witnesses. A
            signature line that names one of them must be by it.
        origin: of the log.
        entry: canonical form of the entry; None takes the one in the proof.
        witnesses: further keys, which never count as the log's, whatever their names are.

    Raises:
        NoteError: the checkpoint is none, or no key of the log signed it.
        ProofError: the entry is not the leaf that the proof names, or the log has no such leaf.
        NoEntryError: neither the caller nor the proof has the entry.
    """
    content = proof.extra if entry is None else entry
    if content is None:
        raise NoEntryError("the proof does not hold its entry: give the entry's canonical form")
    if entry is not None and proof.extra not in {None, entry}:
        raise ProofError("the proof holds another entry than the given one")
    if not 0 < len(content) <= SEALED_BYTES_MAX:
        raise ProofError(f"an entry of {len(content)} bytes: the log has entries of 1 to {SEALED_BYTES_MAX}")
    checkpoint, note = open_checkpoint(
        proof.checkpoint, [key for key in keys if key.name == origin], origin=origin
    )
    if proof.index >= checkpoint.size:
        raise ProofError(
            f"the tree of the checkpoint has {checkpoint.size} leaves, and so no leaf {proof.index}"
        )
    verify_inclusion(hash_leaf(content), proof.index, checkpoint.size, proof.hashes, checkpoint.root)
    return Proved(content, proof.index, checkpoint, verify_signatures(note, [*keys, *witnesses]))


def origin_of(proof: TlogProof) -> str:
    """Return the log that the proof's checkpoint names. Nothing is verified.

    Raises:
        NoteError: the checkpoint is none.
    """
    return read_checkpoint(parse_note(proof.checkpoint)).origin


def _extra(line: str) -> bytes:
    try:
        return decode_base64(line.removeprefix("extra "))
    except ValueError:
        raise ProofFormatError("the extra data is not base64") from None


def _index(line: str) -> int:
    digits = line.removeprefix("index ")
    if (
        not line.startswith("index ")
        or not (digits.isascii() and digits.isdigit())
        or len(digits) > _INDEX_DIGITS_MAX
        or str(int(digits)) != digits
        or int(digits) > _INDEX_MAX
    ):
        raise ProofFormatError('the line before the hashes is not "index" and a number')
    return int(digits)


def _hash(line: str) -> bytes:
    try:
        content = decode_base64(line)
    except ValueError:
        content = b""
    if len(content) != HASH_BYTES:
        raise ProofFormatError("a line of the inclusion proof is not a hash of 32 bytes in base64")
    return content


def _base64(content: bytes) -> str:
    return b64encode(content).decode()
