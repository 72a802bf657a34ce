"""Examine leaves as they stand in the database: which row is not as it was sealed, and how (AU-4).

A leaf has three witnesses: the entry as it stands in `event_log`, its sealed form in `log_leaf`, and its hash
in a full tile. Which of them was changed follows from who agrees with whom; the signed root decides in the
end.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from audit.domain.log.canonical import VERSION
from audit.domain.log.tampering import Finding, Tampering
from audit.domain.log.tree import hash_leaf


@dataclass(frozen=True, slots=True)
class Leaf:
    """A row of `log_leaf` with its entry.

    Attributes:
        form: canonical form of the entry as it stands; None if there is no entry.
    """

    index: int
    entry_id: int
    sealed: bytes
    form: bytes | None


@dataclass(frozen=True, slots=True)
class Dispute:
    """A leaf whose entry and sealed form agree with each other, and not with the tile.

    Attributes:
        attested: the hash in the tile; None for a leaf that no full tile holds yet.
    """

    index: int
    entry_id: int
    observed: bytes
    attested: bytes | None


@dataclass(slots=True)
class Examined:
    """Result of examining a row of leaves.

    Attributes:
        hashes: leaf hashes by the entries; where a row is known to be bad, by the tile. None for an unknown
            one.
    """

    hashes: list[bytes | None] = field(default_factory=list[bytes | None])
    findings: list[Finding] = field(default_factory=list[Finding])
    disputes: list[Dispute] = field(default_factory=list[Dispute])


def examine(indexes: range, leaves: Iterable[Leaf], attested: Sequence[bytes] | None) -> Examined:
    """Examine the leaves that should stand at these indexes.

    Args:
        indexes: every index that must be there.
        leaves: the rows that are there.
        attested: hashes of the full tile; None without one.
    """
    rows = defaultdict[int, list[Leaf]](list)
    for leaf in leaves:
        rows[leaf.index].append(leaf)
    examined = Examined()
    for index in indexes:
        known = attested[index - indexes.start] if attested else None
        _examine_one(index, rows[index], known, examined)
    return examined


def _examine_one(index: int, rows: Sequence[Leaf], attested: bytes | None, examined: Examined) -> None:
    if not rows:
        examined.findings.append(Finding(Tampering.GAP, f"log_leaf has no leaf {index}", index))
        examined.hashes.append(attested)
        return
    leaf = rows[0]
    if len(rows) > 1:
        what = f"leaf {index} stands {len(rows)} times in log_leaf or event_log"
        examined.findings.append(Finding(Tampering.DOUBLED, what, index, leaf.entry_id))
        examined.hashes.append(attested or hash_leaf(leaf.sealed))
        return
    sealed = hash_leaf(leaf.sealed)
    if leaf.form == leaf.sealed:
        examined.hashes.append(sealed)
        if attested not in {None, sealed}:
            examined.disputes.append(Dispute(index, leaf.entry_id, sealed, attested))
        return
    examined.hashes.append(attested or sealed)
    examined.findings.append(_difference(leaf, attested))


def _difference(leaf: Leaf, attested: bytes | None) -> Finding:
    """Name what was done to a leaf whose entry and sealed form differ."""
    index, entry_id = leaf.index, leaf.entry_id
    is_own = leaf.sealed.startswith(b'{"v":%d,"entry_id":%d,' % (VERSION, entry_id))
    if leaf.form is None and is_own:
        kind, what = Tampering.DELETED, f"event_log has no entry {entry_id}, which leaf {index} seals"
    elif leaf.form is None:
        kind, what = Tampering.SEAL, f"leaf {index} names entry {entry_id}, which it does not seal"
    elif not is_own:
        kind, what = Tampering.REORDERED, f"leaf {index} names entry {entry_id}, and seals another one"
    elif attested is not None and hash_leaf(leaf.form) == attested:
        what = f"the sealed form of leaf {index} differs from entry {entry_id}, which the tile has"
        kind = Tampering.SEAL
    else:
        kind, what = Tampering.ENTRY, f"entry {entry_id} differs from its sealed form, leaf {index}"
    return Finding(kind, what, index, entry_id)


def explain_disputes(
    disputes: Sequence[Dispute], *, doubled: Collection[int], tail: Collection[bytes] = ()
) -> Finding:
    """Name what was done to leaves that differ from tiles which lead to the signed root.

    Args:
        disputes: in the order of their indexes, at least one.
        doubled: entries that have more than one leaf.
        tail: hashes of the leaves behind the last full tile.
    """
    first = disputes[0]
    observed = [each.observed for each in disputes if each.attested is not None]
    attested = [each.attested for each in disputes if each.attested is not None]
    following = disputes[1] if len(disputes) > 1 and disputes[1].index == first.index + 1 else None
    if sorted(observed) == sorted(attested):
        kind, what = Tampering.REORDERED, "the leaves are the sealed ones in another order, from leaf"
    elif first.entry_id in doubled:
        kind, what = Tampering.DOUBLED, "an entry has two leaves; wrong is leaf"
    elif following is not None and following.observed == first.attested:
        kind, what = Tampering.INSERTED, "a leaf was inserted, and those behind it moved; it is leaf"
    elif following is not None and first.observed == following.attested:
        kind, what = Tampering.DELETED, "a leaf was removed, and those behind it moved up, from leaf"
    elif first.attested in tail:
        kind, what = Tampering.REORDERED, "leaves changed their places, from leaf"
    else:
        kind, what = Tampering.ENTRY, "an entry was changed together with its sealed form, leaf"
    return Finding(kind, f"{what} {first.index}", first.index, first.entry_id)
