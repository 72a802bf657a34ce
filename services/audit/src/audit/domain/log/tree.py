"""Merkle tree of RFC 6962, section 2.1: hashes, roots, inclusion and consistency proofs.

A proof is a list of hashes. Each is the hash of a range of leaves, so a proof is planned as ranges first
(`inclusion_ranges`, `consistency_ranges`), and whoever holds the tree looks their hashes up.
"""

import hashlib
from collections.abc import Iterator, Sequence

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()

Range = tuple[int, int]
"""First leaf and the leaf behind the last one."""


class ProofError(ValueError):
    """A proof does not lead to the root."""


def hash_leaf(content: bytes) -> bytes:
    """Return SHA-256(0x00 ‖ content)."""
    return hashlib.sha256(b"\x00" + content).digest()


def hash_children(left: bytes, right: bytes) -> bytes:
    """Return SHA-256(0x01 ‖ left ‖ right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_of(hashes: Sequence[bytes]) -> bytes:
    """Return the root of a tree over these leaves, or over these roots of equally high full subtrees."""
    if not hashes:
        return EMPTY_ROOT
    row, sha256 = list(hashes), hashlib.sha256
    while len(row) > 1:
        paired = [
            sha256(b"\x01" + left + right).digest() for left, right in zip(row[::2], row[1::2], strict=False)
        ]
        # The last of an odd row has no neighbour: it moves up as it is.
        row = [*paired, row[-1]] if len(row) % 2 else paired
    return row[0]


def join(hashes: Sequence[bytes]) -> bytes:
    """Return the root over subtrees side by side, from left to right, each lower than the one before."""
    if not hashes:
        return EMPTY_ROOT
    root = hashes[-1]
    for left in reversed(hashes[:-1]):
        root = hash_children(left, root)
    return root


def subtrees(leaves: Range) -> Iterator[tuple[int, int]]:
    """Yield (height, index) of the full subtrees that make up a range, from left to right.

    The subtree of height h and index i covers the leaves from i · 2^h to (i + 1) · 2^h. The range begins at a
    multiple of the largest power of two that fits into it, as the ranges of proofs do.
    """
    start, end = leaves
    while start < end:
        height = (end - start).bit_length() - 1
        yield height, start >> height
        start += 1 << height


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """Return the ranges whose hashes prove a leaf in a tree of `size` leaves (RFC 6962, 2.1.1), leaf first.

    Raises:
        ValueError: the tree has no such leaf.
    """
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} leaves has no leaf {index}")
    ranges: list[Range] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _left_size(end - start)
        if index < middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    return ranges[::-1]


def consistency_ranges(old_size: int, size: int) -> list[Range]:
    """Return the ranges whose hashes prove that a tree continues an older one (RFC 6962, 2.1.2).

    Raises:
        ValueError: the older tree is the larger one, or negative.
    """
    if not 0 <= old_size <= size:
        raise ValueError(f"a tree of {size} leaves does not continue one of {old_size}")
    if old_size in (0, size):
        return []
    ranges: list[Range] = []
    start, end, is_whole_old_tree = 0, size, True
    old = old_size
    while old != end - start:
        middle = _left_size(end - start)
        if old <= middle:
            ranges.append((start + middle, end))
            end = start + middle
        else:
            ranges.append((start, start + middle))
            start, old, is_whole_old_tree = start + middle, old - middle, False
    if not is_whole_old_tree:
        ranges.append((start, end))
    return ranges[::-1]


def root_from_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes:
    """Return the root to which an inclusion proof leads.

    Raises:
        ProofError: no proof of this leaf in a tree of this size has so many hashes.
        ValueError: the tree has no such leaf.
    """
    ranges = inclusion_ranges(index, size)
    if len(proof) != len(ranges):
        raise ProofError(f"the proof has {len(proof)} hashes, and needs {len(ranges)}")
    root = leaf
    for (start, _), sibling in zip(ranges, proof, strict=True):
        root = hash_children(sibling, root) if start < index else hash_children(root, sibling)
    return root


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Check that leaf hash `leaf` is the leaf `index` of the tree with this root.

    Raises:
        ProofError: it is not.
        ValueError: the tree has no such leaf.
    """
    if root_from_inclusion(leaf, index, size, proof) != root:
        raise ProofError("the proof leads to another root")


def verify_consistency(
    old_size: int, size: int, proof: Sequence[bytes], old_root: bytes, root: bytes
) -> None:
    """Check that a tree continues an older one.

    Raises:
        ProofError: it does not.
        ValueError: the older tree is the larger one, or negative.
    """
    ranges = consistency_ranges(old_size, size)
    if len(proof) != len(ranges):
        raise ProofError(f"the proof has {len(proof)} hashes, and needs {len(ranges)}")
    if old_size == 0:
        if old_root != EMPTY_ROOT:
            raise ProofError("the root of an empty tree is another one")
        return
    hashes = list(zip(ranges, proof, strict=True))
    old = new = old_root
    # An old tree that is one full subtree stands in no proof: its root is known.
    if hashes and not _is_power_of_two(old_size):
        (_, old), *hashes = hashes
        new = old
    for (start, _), sibling in hashes:
        if start < old_size:
            old, new = hash_children(sibling, old), hash_children(sibling, new)
        else:
            new = hash_children(new, sibling)
    if old != old_root:
        raise ProofError("the proof leads to another old root")
    if new != root:
        raise ProofError("the proof leads to another root")


def _left_size(leaves: int) -> int:
    """Return the largest power of two that is less than `leaves`, at least 2."""
    return 1 << ((leaves - 1).bit_length() - 1)


def _is_power_of_two(number: int) -> bool:
    return number & (number - 1) == 0
