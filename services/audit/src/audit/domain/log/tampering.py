"""Classes of tampering, and what a verification reports of them (AU-4). docs/audit.md has the same table."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Tampering(StrEnum):
    """A class of tampering. The order ranks findings that name no leaf."""

    HEAD = "head-rewritten"
    REBUILT = "tree-rebuilt"
    TAIL = "tail-cut"
    FORK = "forked-checkpoint"
    GAP = "leaf-missing"
    DOUBLED = "leaf-doubled"
    REORDERED = "leaves-reordered"
    DELETED = "entry-deleted"
    INSERTED = "entry-inserted"
    ENTRY = "entry-altered"
    SEAL = "seal-altered"
    PAYLOAD = "payload-altered"
    HISTORY = "history-altered"
    RENDERING = "rendering-altered"
    TILE = "tile-altered"
    CHECKPOINT = "checkpoint-altered"

    @property
    def sentence(self) -> str:
        """Return what has happened, in one sentence."""
        return _SENTENCES[self][0]

    @property
    def advice(self) -> str:
        """Return what to do first."""
        return _SENTENCES[self][1]


_RESTORE = "restore the row from a backup, and find out who had the owner's or the superuser's rights"
_COMPARE = (
    "compare with checkpoints that others keep, and take the database out of service until it is explained"
)
_DERIVED = "the log itself is intact: restore this copy of it from the entries, or from a backup"

_SENTENCES: dict[Tampering, tuple[str, str]] = {
    Tampering.HEAD: ("the newest checkpoint in the database was changed or removed", _COMPARE),
    Tampering.REBUILT: (
        "the tree was built anew: it does not lead to a root that this log has signed",
        _COMPARE,
    ),
    Tampering.TAIL: ("sealed entries at the end of the log are gone", _COMPARE),
    Tampering.FORK: (
        "the log has signed two different trees of one size",
        "treat the signing key as stolen: " + _COMPARE,
    ),
    Tampering.GAP: ("a leaf is missing between others", _RESTORE),
    Tampering.DOUBLED: ("a leaf index or an entry stands twice", _RESTORE),
    Tampering.REORDERED: ("leaves changed their places", _RESTORE),
    Tampering.DELETED: ("an entry that was sealed is gone", _RESTORE),
    Tampering.INSERTED: ("an entry was put between others that had been sealed before it", _RESTORE),
    Tampering.ENTRY: ("an entry was changed after it was sealed", _RESTORE),
    Tampering.SEAL: (
        "the sealed form of an entry was changed; the entry itself is as it was sealed",
        _RESTORE,
    ),
    Tampering.PAYLOAD: ("a payload is not the one that its entry was recorded with", _RESTORE),
    Tampering.HISTORY: ("the status history contradicts the entries that it was made from", _DERIVED),
    Tampering.RENDERING: ("a further rendering of an event is not the one that was recorded", _RESTORE),
    Tampering.TILE: ("a stored tile differs from the tree of the entries", _DERIVED),
    Tampering.CHECKPOINT: ("a kept checkpoint is not as the log signed it", _COMPARE),
}
# They concern the tree as a whole, and say more than what is wrong with a row.
_FIRST = {Tampering.HEAD, Tampering.REBUILT, Tampering.FORK}
_RANK = {kind: rank for rank, kind in enumerate(Tampering)}
_LAST = 2**63


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it was signed.

    Attributes:
        detail: which row or file, and what of it.
        index: the first bad leaf; None where no leaf can be named.
    """

    kind: Tampering
    detail: str
    index: int | None = None
    entry_id: int | None = None


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings about the tree as a whole, then the others with the first bad index first."""

    def place(finding: Finding) -> tuple[bool, int, int]:
        index = _LAST if finding.index is None else finding.index
        return finding.kind not in _FIRST, index, _RANK[finding.kind]

    return sorted(findings, key=place)
