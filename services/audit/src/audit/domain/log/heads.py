"""Check the newest checkpoint as it stands in the database (AU-4)."""

from collections.abc import Sequence
from dataclasses import dataclass

from audit.domain.log.checkpoints import Verified, read_checkpoint, verify_signatures
from audit.domain.log.keys import VerifierKey
from audit.domain.log.notes import NoteError, parse_note
from audit.domain.log.tampering import Finding, Tampering
from audit.domain.log.tiles import TILE_WIDTH, split_hashes
from audit.domain.log.tree import EMPTY_ROOT, join


@dataclass(frozen=True, slots=True)
class HeadRow:
    """The row of `log_head`."""

    size: int
    root: bytes
    frontier: bytes
    sealed_through: int
    note: str


@dataclass(frozen=True, slots=True)
class CheckedHead:
    """The newest checkpoint, and what is wrong with it.

    Attributes:
        signatures: verified ones; none where there is a problem.
    """

    row: HeadRow | None
    problem: Finding | None = None
    signatures: Sequence[Verified] = ()

    @property
    def is_signed(self) -> bool:
        return self.row is not None and self.problem is None

    def tail(self) -> list[bytes] | None:
        """Return the roots of the full subtrees behind the last full tile; None without a signed head."""
        if self.row is None or self.problem is not None:
            return None
        count = (self.row.size % TILE_WIDTH).bit_count()
        hashes = split_hashes(self.row.frontier)
        return hashes[len(hashes) - count :]


def check_head(row: HeadRow | None, keys: Sequence[VerifierKey], *, origin: str) -> CheckedHead:
    """Check signatures and columns of the newest checkpoint."""
    if row is None:
        return CheckedHead(None, Finding(Tampering.HEAD, "log_head has no row"))
    try:
        note = parse_note(row.note.encode())
        checkpoint = read_checkpoint(note)
        if checkpoint.origin != origin:
            raise NoteError(f"it is of the log {checkpoint.origin!r}, not of {origin!r}")
        signatures = verify_signatures(note, keys)
        frontier = split_hashes(row.frontier)
    except ValueError as error:
        return CheckedHead(row, Finding(Tampering.HEAD, f"log_head: {error}"))
    if not signatures:
        signers = ", ".join(f"{line.name} ({line.key_id.hex()})" for line in note.signatures)
        return CheckedHead(
            row, Finding(Tampering.REBUILT, f"log_head is signed by {signers}, no known key of {origin}")
        )
    if (checkpoint.size, checkpoint.root) != (row.size, row.root):
        return CheckedHead(row, Finding(Tampering.HEAD, "log_head: its columns differ from its signed note"))
    if (join(frontier) if frontier else EMPTY_ROOT) != row.root or len(frontier) != row.size.bit_count():
        return CheckedHead(row, Finding(Tampering.HEAD, "log_head: its frontier does not lead to its root"))
    return CheckedHead(row, None, signatures)
