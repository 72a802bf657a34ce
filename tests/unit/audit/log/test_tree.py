"""The Merkle tree, against the definitions of RFC 6962 written out naively, and its published vectors."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.domain.log.tiles import Edge, TileKey, range_hash, tiles_of
from audit.domain.log.tree import (
    EMPTY_ROOT,
    ProofError,
    consistency_ranges,
    hash_children,
    hash_leaf,
    inclusion_ranges,
    root_of,
    verify_consistency,
    verify_inclusion,
)

# The leaves of the reference implementation's test (certificate-transparency, merkletree): well known inputs.
LEAVES = [bytes.fromhex(each) for each in (
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
)]  # fmt: skip
ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)


def naive_root(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1, as it is written there."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return hash_children(naive_root(leaves[:k]), naive_root(leaves[k:]))


def numbered(size: int) -> list[bytes]:
    return [hash_leaf(str(each).encode()) for each in range(size)]


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_are_the_published_ones(size: int) -> None:
    assert root_of([hash_leaf(leaf) for leaf in LEAVES[:size]]).hex() == ROOTS[size - 1]


@given(st.integers(0, 2000), st.lists(st.integers(1, 300), max_size=8))
def test_edge_grown_in_any_steps_has_the_root_of_the_definition(size: int, steps: list[int]) -> None:
    leaves, edge, tiles = numbered(size), Edge(), dict[TileKey, tuple[bytes, ...]]()
    at = 0
    for step in [*steps, size]:
        for tile in edge.append(leaves[at : at + step]):
            tiles[tile.key] = tile.hashes
        at = min(at + step, size)
        assert edge.size == at
        assert edge.root() == naive_root(leaves[:at])
    assert len([key for key in tiles if key.level == 0]) == size // 256


def test_empty_tree_has_the_root_of_nothing() -> None:
    assert Edge().root() == EMPTY_ROOT == root_of([])


@given(st.data())
def test_proofs_from_tiles_verify_and_no_other_leaf_or_root_does(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 700))
    index, old_size = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, size))
    leaves, edge = numbered(size), Edge()
    full = {tile.key: tile.hashes for tile in edge.append(leaves)}
    partial = {TileKey(level, (size >> (8 * level)) // 256): row for level, row in enumerate(edge.levels)}
    root, old_root = naive_root(leaves), naive_root(leaves[:old_size])

    def hashes_of(key: TileKey) -> list[bytes]:
        return list(full.get(key) or partial[key])

    ranges = inclusion_ranges(index, size)
    assert tiles_of(ranges) <= full.keys() | partial.keys()
    proof = [range_hash(leaves, hashes_of) for leaves in ranges]
    assert proof == [naive_root(leaves[start:end]) for start, end in ranges]
    verify_inclusion(leaves[index], index, size, proof, root)
    for wrong in (index ^ 1, *range(min(size, 3))):
        if wrong != index and wrong < size:
            with pytest.raises(ProofError):
                verify_inclusion(leaves[index], wrong, size, proof, root)
    with pytest.raises(ProofError):
        verify_inclusion(leaves[index], index, size, [*proof, root], root)

    continued = [range_hash(leaves, hashes_of) for leaves in consistency_ranges(old_size, size)]
    verify_consistency(old_size, size, continued, old_root, root)
    with pytest.raises(ProofError):
        verify_consistency(old_size, size, continued, hash_leaf(b"other"), root)
    if old_size:
        with pytest.raises(ProofError):
            verify_consistency(old_size, size, continued, old_root, hash_leaf(b"other"))
    for at in range(len(continued)):
        broken = [*continued[:at], hash_leaf(b"other"), *continued[at + 1 :]]
        with pytest.raises(ProofError):
            verify_consistency(old_size, size, broken, old_root, root)


@pytest.mark.parametrize(("index", "size"), [(0, 0), (5, 5), (-1, 5)])
def test_leaf_outside_the_tree_has_no_proof(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="no leaf"):
        inclusion_ranges(index, size)
