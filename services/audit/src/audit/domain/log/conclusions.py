"""Conclude from everything that was read what was tampered with (AU-4)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from audit.domain.log.examination import Dispute, explain_disputes
from audit.domain.log.regrowth import Signed
from audit.domain.log.tampering import Finding, Tampering, in_order

# Findings about single leaves, each of which explains why the tree has another root.
_OF_LEAVES = {
    Tampering.GAP,
    Tampering.DOUBLED,
    Tampering.REORDERED,
    Tampering.DELETED,
    Tampering.INSERTED,
    Tampering.ENTRY,
    Tampering.TAIL,
}


@dataclass(slots=True)
class Evidence:
    """What was read.

    Attributes:
        head_problem: what is wrong with the newest checkpoint itself; None if the log signed it.
        head: the newest checkpoint compared with the tree; None if it is not the log's, or
            leaves are missing at the end.
        differing: kept checkpoints to which the entries do not lead, by ascending size.
        disputes: leaves that differ from their tiles, by ascending index.
        doubled: entries of disputes with more than one leaf.
        findings: about single rows.
        tail: hashes of the leaves behind the last full tile.
        unsealed: entries without a leaf that were decided when the head was signed.
    """

    head_problem: Finding | None
    head: Signed | None
    differing: Sequence[Signed] = ()
    disputes: Sequence[Dispute] = ()
    doubled: Collection[int] = ()
    tail: Collection[bytes] = ()
    findings: Sequence[Finding] = ()
    unsealed: Sequence[Finding] = field(default_factory=list[Finding])


def conclude(evidence: Evidence) -> list[Finding]:
    """Return everything that is not as it was signed, the first bad index first."""
    findings = [*evidence.findings, *_unsealed(evidence)]
    if evidence.disputes:
        findings.append(_explained(evidence))
    if {finding.kind for finding in findings} == {Tampering.TAIL} and evidence.differing:
        findings.append(_moved_up(evidence.differing[0]))
    if evidence.head_problem is not None:
        first = evidence.differing[0] if evidence.differing else None
        where = (
            ""
            if first is None
            else f"; {first.place} has another root, and {first.after} leaves are as signed"
        )
        problem = evidence.head_problem
        index = problem.index if first is None else first.after
        return in_order([*findings, replace(problem, index=index, detail=f"{problem.detail}{where}")])
    is_explained = any(finding.kind in _OF_LEAVES for finding in findings)
    if evidence.head is not None and not (evidence.head.is_entries or evidence.head.is_tiles):
        if not is_explained:
            findings.append(_rebuilt(evidence.head, evidence.differing))
        return in_order(findings)
    findings += [_forked(each) for each in evidence.differing if not each.is_tiles and not is_explained]
    return in_order(findings)


def _unsealed(evidence: Evidence) -> Sequence[Finding]:
    """Return inserted entries. Entries that have lost their leaves are no inserted ones."""
    gaps = sum(finding.kind in {Tampering.GAP, Tampering.TAIL} for finding in evidence.findings)
    return () if gaps >= len(evidence.unsealed) else evidence.unsealed


def _explained(evidence: Evidence) -> Finding:
    signed = [each for each in (evidence.head, *evidence.differing) if each is not None]
    first = evidence.disputes[0]
    if signed and all(each.is_entries for each in signed):
        what = f"tile 0/{first.index >> 8} differs from leaf {first.index}, and the signed root has the leaf"
        return Finding(Tampering.TILE, what, first.index, first.entry_id)
    return explain_disputes(evidence.disputes, doubled=evidence.doubled, tail=evidence.tail)


def _moved_up(signed: Signed) -> Finding:
    what = f"a leaf was removed before leaf {signed.size}, and those behind it moved up"
    return Finding(Tampering.DELETED, what, signed.after)


def _rebuilt(head: Signed, differing: Sequence[Signed]) -> Finding:
    first = differing[0] if differing and differing[0].size < head.size else head
    what = f"entries, leaves and tiles agree with each other, and not with the root signed in {first.place}"
    return Finding(Tampering.REBUILT, what, first.after)


def _forked(signed: Signed) -> Finding:
    what = f"{signed.place} has another root of {signed.size} leaves than the log; both are signed by it"
    return Finding(Tampering.FORK, what, signed.after)
