"""Requests of the witness protocol (https://c2sp.org/tlog-witness): a log writes, a witness decides."""

import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass

from audit.domain.log.checkpoints import (
    SIZE_MAX,
    Checkpoint,
    CheckpointError,
    EmptyRootError,
    read_checkpoint,
    verify_signatures,
)
from audit.domain.log.keys import VerifierKey, decode_base64
from audit.domain.log.notes import Note, NoteError, parse_note
from audit.domain.log.tree import EMPTY_ROOT, HASH_BYTES, ProofError, verify_consistency

PROOF_HASHES_MAX = 63
_OLD = re.compile(r"old (0|[1-9][0-9]{0,18})", re.ASCII)
_SIZE = re.compile(rb"(0|[1-9][0-9]{0,18})\n?", re.ASCII)


class WitnessRefusalError(Exception):
    """A witness does not cosign.

    Attributes:
        status: of the answer.
        size: of the tree that it has seen, if that is the reason.
    """

    def __init__(self, status: int, sentence: str, *, size: int | None = None) -> None:
        super().__init__(sentence)
        self.status = status
        self.size = size


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """A request to cosign: a checkpoint, and the proof that it continues the tree of `old_size` leaves."""

    old_size: int
    proof: tuple[bytes, ...]
    note: Note

    def encode(self) -> bytes:
        """Return the request's body."""
        hashes = "".join(f"{b64encode(digest).decode()}\n" for digest in self.proof)
        return f"old {self.old_size}\n{hashes}\n{self.note}".encode()


@dataclass(frozen=True, slots=True)
class Seen:
    """The newest tree of a log that a witness has cosigned."""

    size: int
    root: bytes


NOTHING_SEEN = Seen(0, EMPTY_ROOT)


def parse_add_checkpoint(body: bytes) -> AddCheckpoint:
    """Read the body of a request.

    Raises:
        WitnessRefusalError: it is none (400).
    """
    head, separator, note = body.partition(b"\n\n")
    try:
        old, *hashes = head.decode().split("\n")
        if not separator or not (size := _OLD.fullmatch(old)) or int(size[1]) > SIZE_MAX:
            raise WitnessRefusalError(400, "the first line is `old` and a size, an empty line ends the proof")
        if len(hashes) > PROOF_HASHES_MAX:
            raise WitnessRefusalError(
                400, f"a proof of {len(hashes)} hashes: at most {PROOF_HASHES_MAX} are read"
            )
        proof = tuple(map(decode_base64, hashes))
        if any(len(digest) != HASH_BYTES for digest in proof):
            raise WitnessRefusalError(400, f"a hash of the proof is {HASH_BYTES} bytes in base64")
        return AddCheckpoint(int(size[1]), proof, parse_note(note))
    except NoteError as error:
        raise WitnessRefusalError(400, str(error)) from None
    except ValueError:
        raise WitnessRefusalError(400, "a line of the proof is not base64") from None


def read_submitted(note: Note) -> Checkpoint:
    """Read a submitted checkpoint.

    Raises:
        WitnessRefusalError: it is none (400), or a tree of no leaves has another root (422).
    """
    try:
        return read_checkpoint(note)
    except EmptyRootError as error:
        raise WitnessRefusalError(422, str(error)) from None
    except NoteError as error:
        raise WitnessRefusalError(400, str(error)) from None


def check_signed(note: Note, keys: Sequence[VerifierKey]) -> None:
    """Check that the log signed the note, with one of its known keys.

    Raises:
        WitnessRefusalError: the log is unknown (404), or did not sign (403).
    """
    if not keys:
        raise WitnessRefusalError(404, "this witness does not know a log of this origin")
    try:
        is_signed = bool(verify_signatures(note, keys))
    except CheckpointError as error:
        raise WitnessRefusalError(403, str(error)) from None
    if not is_signed:
        raise WitnessRefusalError(403, "no key that this witness knows of the log has signed the checkpoint")


def check_continues(request: AddCheckpoint, submitted: Checkpoint, seen: Seen) -> None:
    """Check that the submitted tree continues the one that was seen.

    Raises:
        WitnessRefusalError: the old size is the larger one (400) or another than the witness saw (409); or
            the tree does not continue the one that was seen (422).
    """
    if request.old_size > submitted.size:
        raise WitnessRefusalError(
            400, f"the old size {request.old_size} is larger than the tree's {submitted.size}"
        )
    if request.old_size != seen.size:
        raise WitnessRefusalError(409, f"this witness has seen a tree of {seen.size}", size=seen.size)
    try:
        verify_consistency(seen.size, submitted.size, request.proof, seen.root, submitted.root)
    except ProofError as error:
        raise WitnessRefusalError(422, str(error)) from None


def parse_size(body: bytes) -> int | None:
    """Read the size in the answer of a witness that saw another tree; None if it is none."""
    match = _SIZE.fullmatch(body)
    return int(match[1]) if match and int(match[1]) <= SIZE_MAX else None
