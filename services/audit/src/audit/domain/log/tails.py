"""The leaves behind the last full tile: no tile attests them, so the signed root and its subtrees must.

A head's frontier has the roots of the full subtrees of its tree. If they lead to the signed root, they are
genuine, and tell in which subtree a leaf is wrong.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from audit.domain.log.examination import Leaf, examine
from audit.domain.log.tampering import Finding, Tampering
from audit.domain.log.tree import hash_leaf, root_of, subtrees


@dataclass(frozen=True, slots=True)
class Tail:
    """Leaves behind the last full tile.

    Attributes:
        indexes: those that the signed tree has.
        leaves: the rows from the first index on, also beyond the signed tree.
        subtrees: roots of the full subtrees of the signed tail; None if they are not known.
        doubled: entries that have more than one leaf, here or before.
    """

    indexes: range
    leaves: Sequence[Leaf]
    subtrees: Sequence[bytes] | None
    doubled: Collection[int] = ()


@dataclass(frozen=True, slots=True)
class ExaminedTail:
    """Hashes by the entries where they are known, else by the sealed form; and what is wrong."""

    hashes: list[bytes | None]
    findings: list[Finding]


def examine_tail(tail: Tail) -> ExaminedTail:
    """Examine the leaves behind the last full tile, and name what is wrong with them."""
    inside = [leaf for leaf in tail.leaves if leaf.index in tail.indexes]
    examined = examine(tail.indexes, inside, None)
    findings = list(examined.findings)
    if tail.subtrees is None or not tail.indexes:
        return ExaminedTail(examined.hashes, findings)
    for part, root in _parts(tail):
        hashes = [each for index in part if (each := examined.hashes[index - tail.indexes.start]) is not None]
        if len(hashes) < len(part) or root_of(hashes) == root:
            continue
        in_part = [finding for finding in findings if finding.index in part]
        forms = _forms(part, inside)
        if len(forms) == len(part) and root_of(forms) == root:
            # The entries lead to the signed root, and their sealed forms do not.
            examined.hashes[part.start - tail.indexes.start : part.stop - tail.indexes.start] = forms
            findings = [_seal(each) if each in in_part else each for each in findings]
        elif not in_part:
            findings.append(_explain(part, root, tail))
            break
    return ExaminedTail(examined.hashes, findings)


def _parts(tail: Tail) -> Iterator[tuple[range, bytes]]:
    start = tail.indexes.start
    roots = tail.subtrees or ()
    for (height, index), root in zip(subtrees((start, tail.indexes.stop)), roots, strict=True):
        yield range(index << height, (index + 1) << height), root


def _forms(part: range, leaves: Sequence[Leaf]) -> list[bytes]:
    """Return the hashes of the entries of a subtree."""
    return [hash_leaf(leaf.form) for leaf in leaves if leaf.index in part and leaf.form is not None]


def _seal(finding: Finding) -> Finding:
    what = f"the sealed form of leaf {finding.index} differs from entry {finding.entry_id}, which was signed"
    return replace(finding, kind=Tampering.SEAL, detail=what)


def _explain(part: range, root: bytes, tail: Tail) -> Finding:
    """Name what was done to a subtree whose entries and sealed forms agree, and not with its root."""
    first, rows = tail.indexes.start, tail.leaves
    hashes = [hash_leaf(leaf.sealed) for leaf in rows]
    inside = slice(part.start - first, part.stop - first)
    if len(rows) > len(tail.indexes):
        for at in range(inside.start, inside.stop):
            if root_of([*hashes[:at], *hashes[at + 1 :]][inside]) == root:
                what = f"a leaf was inserted, and those behind it moved; it is leaf {first + at}"
                return Finding(Tampering.INSERTED, what, first + at, rows[at].entry_id)
    for at, other in _pairs(inside, len(rows)):
        row = list(hashes)
        row[at], row[other] = row[other], row[at]
        if root_of(row[inside]) == root:
            what = f"leaves {first + at} and {first + other} changed their places"
            return Finding(Tampering.REORDERED, what, first + at, rows[at].entry_id)
    doubled = [at for at in range(inside.start, inside.stop) if rows[at].entry_id in tail.doubled]
    if doubled:
        at = next((each for each in doubled if not _is_in_order(rows, each)), doubled[0])
        what = f"entry {rows[at].entry_id} has two leaves; wrong is leaf {first + at}"
        return Finding(Tampering.DOUBLED, what, first + at, rows[at].entry_id)
    if len(rows) < len(tail.indexes):
        what = f"a leaf was removed, and those behind it moved up, from leaf {part.start} to {part.stop - 1}"
        return Finding(Tampering.DELETED, what, part.start)
    what = f"an entry was changed together with its sealed form, from leaf {part.start} to {part.stop - 1}"
    return Finding(Tampering.ENTRY, what, part.start)


def _is_in_order(rows: Sequence[Leaf], at: int) -> bool:
    """Return whether the entry ids on both sides are as those of one round of sealing."""
    ids = [leaf.entry_id for leaf in rows[max(0, at - 1) : at + 2]]
    return ids == sorted(ids)


def _pairs(inside: slice, stop: int) -> Iterator[tuple[int, int]]:
    return ((at, other) for at in range(inside.start, inside.stop) for other in range(at + 1, stop))
