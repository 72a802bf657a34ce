"""File of evidence (AU-9): the entries of one booking with their proofs, one signed checkpoint and a policy.

The file is JSON, alone or inside the page that checks it (`adapters/pages`). Its parts are in their own
formats: canonical forms of entries, a C2SP checkpoint and a C2SP policy. docs/evidence.md describes it.
"""

from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from audit.domain.log.keys import decode_base64
from audit.domain.log.proofs import TlogProof
from audit.domain.log.tiles import TileKey, range_hash
from audit.domain.log.tree import inclusion_ranges

FORMAT = "plumbline-evidence/v1"
FILE_BYTES_MAX = 256_000_000
START = '<script type="application/json" id="evidence">'
_END = "</script"


class EvidenceError(ValueError):
    """A file holds no evidence that can be read."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A sealed entry of the booking."""

    index: int
    sealed: str


class Payload(msgspec.Struct, frozen=True):
    """Content of a message, in base64: the entry's digest is SHA-256(salt ‖ body)."""

    salt: str
    body: str


class ProvedEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    """A sealed entry.

    Attributes:
        sealed: canonical form, the text that was hashed.
        proof: inclusion proof, hashes in base64, the sibling of the leaf first.
        payload: None where the file leaves contents out.
    """

    index: int
    sealed: str
    proof: list[str]
    payload: Payload | Literal["erased"] | None = None


class WaitingEntry(msgspec.Struct, frozen=True):
    """An entry that is not sealed yet: nothing is proved of it."""

    entry_id: int
    event_type: str
    recorded_at: str


class Evidence(msgspec.Struct, frozen=True):
    """Evidence of a booking, not verified.

    Attributes:
        checkpoint: a signed note.
        policy: C2SP tlog-policy with the keys of the log and of its witnesses.
    """

    booking_id: str
    made_at: str
    checkpoint: str
    policy: str
    entries: list[ProvedEntry]
    waiting: list[WaitingEntry]
    format: Literal["plumbline-evidence/v1"] = FORMAT


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Evidence)


def prove_entries(
    leaves: Sequence[Leaf],
    size: int,
    hashes_of: Callable[[TileKey], Sequence[bytes]],
    payloads: Mapping[int, Payload | None] | None = None,
) -> list[ProvedEntry]:
    """Return the leaves with their proofs in a tree of `size` leaves.

    Args:
        leaves: to prove.
        size: of the tree.
        hashes_of: gives the hashes of a tile that `tiles_of(inclusion_ranges(…))` names.
        payloads: by index, None for an erased one; None leaves contents out.
    """
    known: dict[tuple[int, int], str] = {}

    def encoded(leaves: tuple[int, int]) -> str:
        if leaves not in known:
            known[leaves] = b64encode(range_hash(leaves, hashes_of)).decode()
        return known[leaves]

    return [
        ProvedEntry(
            leaf.index,
            leaf.sealed,
            [encoded(hashed) for hashed in inclusion_ranges(leaf.index, size)],
            None if payloads is None else payloads.get(leaf.index) or "erased",
        )
        for leaf in leaves
    ]


def encode_payload(salt: bytes, body: bytes) -> Payload:
    """Return a payload as it stands in a file."""
    return Payload(b64encode(salt).decode(), b64encode(body).decode())


def evidence_files(evidence: Evidence) -> dict[str, bytes]:
    """Return the parts of a file by name, for software of others: C2SP tlog-proof, checkpoint and policy.

    Raises:
        EvidenceError: a hash or a content is not base64.
    """
    note = evidence.checkpoint.encode()
    files = {"checkpoint": note, "policy": evidence.policy.encode()}
    for entry in evidence.entries:
        sealed = entry.sealed.encode()
        try:
            hashes = tuple(map(decode_base64, entry.proof))
            if isinstance(entry.payload, Payload):
                files[f"{entry.index}.payload"] = decode_base64(entry.payload.body)
        except ValueError:
            raise EvidenceError(f"proof or content of entry {entry.index} is not base64") from None
        files[f"{entry.index}.json"] = sealed
        files[f"{entry.index}.tlog-proof"] = TlogProof(entry.index, hashes, note, sealed).encode()
    return files


def encode_evidence(evidence: Evidence) -> str:
    """Return the JSON, which can stand inside a script element: no text in it can end that."""
    return _encoder.encode(evidence).decode().replace("<", "\\u003c")


def read_evidence(content: bytes) -> Evidence:
    """Read a file of evidence: the JSON, or a page with it.

    Raises:
        EvidenceError: it holds none.
    """
    if len(content) > FILE_BYTES_MAX:
        raise EvidenceError(f"more than {FILE_BYTES_MAX:,} bytes: no evidence is that long")
    start = START.encode()
    at = content.find(start)
    if at >= 0:
        content = content[at + len(start) :].partition(_END.encode())[0]
    try:
        return _decoder.decode(content)
    except (msgspec.DecodeError, RecursionError) as error:
        raise EvidenceError(f"it holds no evidence that can be read: {error}") from None
