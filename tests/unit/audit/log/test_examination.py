"""What was done to leaves, from who agrees with whom: entry, sealed form, tile, signed root."""

from dataclasses import replace

import pytest

from audit.domain.log.conclusions import Evidence, conclude
from audit.domain.log.examination import Dispute, Leaf, examine
from audit.domain.log.heads import HeadRow, check_head
from audit.domain.log.keys import KeyType, SigningKey
from audit.domain.log.regrowth import Signed
from audit.domain.log.tails import Tail, examine_tail
from audit.domain.log.tampering import Finding, Tampering, in_order
from audit.domain.log.tiles import Edge
from audit.domain.log.tree import hash_leaf, root_of, subtrees
from audit.handlers.opening import sign_head
from harness.sealing import ORIGIN, key_ring

OTHER = hash_leaf(b"other")


def form(number: int) -> bytes:
    return b'{"v":1,"entry_id":%d,"x":1}' % (number * 2)


def leaves_of(count: int) -> list[Leaf]:
    return [Leaf(number, number * 2, form(number), form(number)) for number in range(count)]


def hashes_of(leaves: list[Leaf]) -> list[bytes]:
    return [hash_leaf(leaf.sealed) for leaf in leaves]


def kinds(findings: list[Finding]) -> list[tuple[Tampering, int | None]]:
    return [(finding.kind, finding.index) for finding in findings]


ALTERED = b'{"v":1,"entry_id":8,"x":2}'


@pytest.mark.parametrize(
    ("leaf", "kind"),
    [
        (Leaf(4, 8, form(4), ALTERED), Tampering.ENTRY),
        (Leaf(4, 8, ALTERED, form(4)), Tampering.SEAL),
        (Leaf(4, 8, form(4), None), Tampering.DELETED),
        (Leaf(4, 10, form(4), form(5)), Tampering.REORDERED),
        (Leaf(4, -7, form(4), None), Tampering.SEAL),
        (Leaf(4, 8, form(4), b"?"), Tampering.ENTRY),
    ],
)
def test_leaf_that_differs_from_its_entry_is_named(leaf: Leaf, kind: Tampering) -> None:
    leaves = leaves_of(8)
    tile = hashes_of(leaves)
    examined = examine(range(8), [*leaves[:4], leaf, *leaves[5:]], tile)
    assert kinds(examined.findings) == [(kind, 4)]
    assert examined.hashes == tile


def test_missing_and_doubled_leaves_are_named() -> None:
    leaves = leaves_of(8)
    examined = examine(range(8), [*leaves[:2], *leaves[3:], leaves[6]], hashes_of(leaves))
    assert kinds(examined.findings) == [(Tampering.GAP, 2), (Tampering.DOUBLED, 6)]


def disputes_of(observed: list[bytes], attested: list[bytes]) -> list[Dispute]:
    pairs = enumerate(zip(observed, attested, strict=True))
    return [Dispute(index, index * 2, one, other) for index, (one, other) in pairs if one != other]


def explained(disputes: list[Dispute], **more: object) -> tuple[Tampering, int | None]:
    signed = Signed(8, OTHER, "log_head", b"entries", OTHER)
    (finding,) = conclude(Evidence(None, signed, disputes=disputes, **more))  # pyright: ignore[reportArgumentType]
    return finding.kind, finding.index


def test_changes_that_the_sealed_forms_follow_are_named_by_their_pattern() -> None:
    tile = hashes_of(leaves_of(8))
    swapped = [*tile[:2], tile[5], *tile[3:5], tile[2], *tile[6:]]
    assert explained(disputes_of(swapped, tile)) == (Tampering.REORDERED, 2)
    assert explained(disputes_of([*tile[:3], OTHER, *tile[3:7]], tile)) == (Tampering.INSERTED, 3)
    assert explained(disputes_of([*tile[:3], *tile[4:], OTHER], tile)) == (Tampering.DELETED, 3)
    assert explained(disputes_of([*tile[:3], OTHER, *tile[4:]], tile)) == (Tampering.ENTRY, 3)
    copied = disputes_of([*tile[:3], tile[1], *tile[4:]], tile)
    assert explained(copied, doubled={6}) == (Tampering.DOUBLED, 3)


def test_tile_is_what_was_changed_if_the_entries_lead_to_the_signed_root() -> None:
    tile = hashes_of(leaves_of(8))
    disputes = disputes_of(tile, [*tile[:3], OTHER, *tile[4:]])
    signed = Signed(8, OTHER, "log_head", OTHER, b"tiles")
    assert kinds(conclude(Evidence(None, signed, disputes=disputes))) == [(Tampering.TILE, 3)]


TAIL = leaves_of(7)
SUBTREES = [
    root_of(hashes_of(TAIL)[index << height : (index + 1) << height]) for height, index in subtrees((0, 7))
]


def named(leaves: list[Leaf], *, doubled: set[int] | None = None) -> list[tuple[Tampering, int | None]]:
    return kinds(examine_tail(Tail(range(7), leaves, SUBTREES, doubled or set())).findings)


def test_leaves_behind_the_last_tile_are_examined_by_the_signed_subtrees() -> None:
    assert named(TAIL) == []
    altered = [*TAIL[:4], Leaf(4, 8, ALTERED, form(4)), *TAIL[5:]]
    assert named(altered) == [(Tampering.SEAL, 4)]
    assert named([*TAIL[:4], Leaf(4, 8, form(4), ALTERED), *TAIL[5:]]) == [(Tampering.ENTRY, 4)]
    assert named([*TAIL[:4], Leaf(4, 8, ALTERED, ALTERED), *TAIL[5:]]) == [(Tampering.ENTRY, 4)]
    swapped = [*TAIL]
    swapped[1], swapped[5] = replace(TAIL[5], index=1), replace(TAIL[1], index=5)
    assert named(swapped) == [(Tampering.REORDERED, 1)]
    new = Leaf(2, 3, b'{"v":1,"entry_id":3,', b'{"v":1,"entry_id":3,')
    moved = [*TAIL[:2], new, *(replace(leaf, index=leaf.index + 1) for leaf in TAIL[2:])]
    assert named(moved) == [(Tampering.INSERTED, 2)]
    copied = [*TAIL[:3], replace(TAIL[5], index=3), *TAIL[4:]]
    assert named(copied, doubled={10}) == [(Tampering.DOUBLED, 3)]


def test_leaf_removed_before_others_that_moved_up_is_named_where_subtrees_tell() -> None:
    moved_up = [*TAIL[:1], *(replace(leaf, index=leaf.index - 1) for leaf in TAIL[2:])]
    assert named(moved_up)[0] == (Tampering.GAP, 6)
    assert (Tampering.DELETED, 0) in named(moved_up)


def head_row() -> HeadRow:
    edge = Edge()
    edge.append(hashes_of(TAIL))
    head = sign_head(edge, 12, key_ring())
    return HeadRow(head.size, head.root, head.frontier, head.sealed_through, head.note)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({}, None),
        ({"size": 8}, Tampering.HEAD),
        ({"root": OTHER}, Tampering.HEAD),
        ({"frontier": OTHER * 3}, Tampering.HEAD),
        ({"frontier": b"x"}, Tampering.HEAD),
        ({"note": "x"}, Tampering.HEAD),
    ],
)
def test_head_is_checked_by_its_note(change: dict[str, object], kind: Tampering | None) -> None:
    checked = check_head(replace(head_row(), **change), key_ring().verifiers, origin=ORIGIN)  # pyright: ignore[reportArgumentType]
    assert (checked.problem and checked.problem.kind) == kind
    assert checked.tail() == (None if kind else SUBTREES)


def test_head_that_another_key_signed_is_a_rebuilt_tree() -> None:
    stranger = SigningKey(ORIGIN, KeyType.ED25519, b"\x07" * 32)
    checked = check_head(head_row(), [stranger.verifier], origin=ORIGIN)
    assert checked.problem is not None
    assert checked.problem.kind is Tampering.REBUILT
    missing = check_head(None, [], origin=ORIGIN).problem
    assert missing is not None
    assert missing.kind is Tampering.HEAD


def test_checkpoint_of_another_tree_is_a_fork_and_comes_first() -> None:
    head = Signed(8, OTHER, "log_head", OTHER, OTHER)
    fork = Signed(6, b"x", "file", OTHER, OTHER, after=4)
    payload = Finding(Tampering.PAYLOAD, "", 1)
    assert kinds(conclude(Evidence(None, head, [fork], findings=[payload]))) == [
        (Tampering.FORK, 4),
        (Tampering.PAYLOAD, 1),
    ]


def test_tree_that_leads_to_no_signed_root_was_rebuilt() -> None:
    head = Signed(8, OTHER, "log_head", b"a", b"a", after=4)
    assert kinds(conclude(Evidence(None, head))) == [(Tampering.REBUILT, 4)]


def test_entries_that_lost_their_leaves_were_not_inserted() -> None:
    head = Signed(8, OTHER, "log_head", OTHER, OTHER)
    gap, late = Finding(Tampering.GAP, "", 3), Finding(Tampering.INSERTED, "", 3, 6)
    assert kinds(conclude(Evidence(None, head, findings=[gap], unsealed=[late]))) == [(Tampering.GAP, 3)]
    assert kinds(conclude(Evidence(None, head, unsealed=[late]))) == [(Tampering.INSERTED, 3)]


def test_every_class_has_a_sentence_and_an_advice() -> None:
    assert all(kind.sentence and kind.advice for kind in Tampering)
    findings = [
        Finding(Tampering.PAYLOAD, ""),
        Finding(Tampering.GAP, "", 5),
        Finding(Tampering.ENTRY, "", 2),
    ]
    assert kinds(in_order(findings)) == [
        (Tampering.ENTRY, 2),
        (Tampering.GAP, 5),
        (Tampering.PAYLOAD, None),
    ]
