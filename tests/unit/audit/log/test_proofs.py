"""Proofs as files: written, read strictly, verified with the log's key alone."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.domain.log.checkpoints import Checkpoint, sign_checkpoint
from audit.domain.log.keys import KeyType, SigningKey
from audit.domain.log.notes import NoteError
from audit.domain.log.proofs import (
    PROOF_BYTES_MAX,
    NoEntryError,
    ProofFormatError,
    TlogProof,
    parse_proof,
    verify_proof,
)
from audit.domain.log.tree import ProofError, hash_leaf, inclusion_ranges, root_of

ORIGIN = "example.com/log"
KEYS = [
    SigningKey(ORIGIN, each, bytes([each]) * 32) for each in (KeyType.ED25519, KeyType.MLDSA44_COSIGNATURE)
]
VERIFIERS = [key.verifier for key in KEYS]
ENTRIES = [b'{"v":1,"entry_id":%d}' % number for number in range(13)]
INDEX = 9


def proof_of(index: int, keys: list[SigningKey] = KEYS, *, extra: bool = True) -> TlogProof:
    leaves = [hash_leaf(entry) for entry in ENTRIES]
    hashes = [root_of(leaves[start:end]) for start, end in inclusion_ranges(index, len(leaves))]
    checkpoint = Checkpoint(ORIGIN, len(leaves), root_of(leaves))
    note = str(sign_checkpoint(checkpoint, keys, time=7)).encode()
    return TlogProof(index, tuple(hashes), note, ENTRIES[index] if extra else None)


FILE = proof_of(INDEX).encode()


@pytest.mark.parametrize("index", range(len(ENTRIES)))
def test_proof_of_each_leaf_is_read_back_and_verified(index: int) -> None:
    made = proof_of(index)
    proof = parse_proof(made.encode())
    assert proof == made
    proved = verify_proof(proof, VERIFIERS, origin=ORIGIN, entry=None)
    assert (proved.entry, proved.index, proved.checkpoint.size) == (ENTRIES[index], index, len(ENTRIES))
    assert [each.time for each in proved.signatures] == [None, 7]


def test_form_is_that_of_the_specification() -> None:
    lines = proof_of(INDEX, extra=False).encode().decode().split("\n")
    assert lines[:2] == ["c2sp.org/tlog-proof@v1", "index 9"]
    assert lines[2 + len(proof_of(INDEX).hashes) :][:3] == ["", ORIGIN, "13"]


def test_proof_without_its_entry_needs_the_entry() -> None:
    bare = parse_proof(proof_of(INDEX, extra=False).encode())
    assert verify_proof(bare, VERIFIERS, origin=ORIGIN, entry=ENTRIES[INDEX]).entry == ENTRIES[INDEX]
    with pytest.raises(NoEntryError, match="does not hold its entry"):
        verify_proof(bare, VERIFIERS, origin=ORIGIN, entry=None)
    with pytest.raises(ProofError):
        verify_proof(bare, VERIFIERS, origin=ORIGIN, entry=ENTRIES[INDEX - 1])


@given(at=st.integers(0, len(FILE) - 1), change=st.integers(1, 255))
def test_a_changed_byte_proves_nothing_else(at: int, change: int) -> None:
    changed = bytearray(FILE)
    changed[at] ^= change
    try:
        proved = verify_proof(parse_proof(bytes(changed)), VERIFIERS, origin=ORIGIN, entry=None)
    except (ProofFormatError, ProofError, NoteError):
        return
    # A signature line whose name or id was changed is a stranger's, and is ignored.
    assert (proved.entry, proved.index) == (ENTRIES[INDEX], INDEX)
    assert len(proved.signatures) < len(KEYS)


@given(st.integers(0, len(FILE) - 1))
def test_a_truncated_proof_proves_nothing(length: int) -> None:
    try:
        proved = verify_proof(parse_proof(FILE[:length]), VERIFIERS, origin=ORIGIN, entry=None)
    except (ProofFormatError, ProofError, NoteError):
        return
    assert len(proved.signatures) < len(KEYS)


@given(st.binary(max_size=400))
def test_noise_is_no_proof(noise: bytes) -> None:
    with pytest.raises((ProofFormatError, NoteError)):
        verify_proof(parse_proof(noise), VERIFIERS, origin=ORIGIN, entry=b"x")


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("tlog-proof@v1", "tlog-proof@v2"),
        lambda text: text.replace("index 9", "index 09"),
        lambda text: text.replace("index 9", "index -1"),
        lambda text: text.replace("index 9", "index 9223372036854775808"),
        lambda text: text.replace("index 9", "index \u0669"),
        lambda text: text.replace("index 9\n", ""),
        lambda text: text.replace("extra ", "extra  "),
        lambda text: text.replace("\n\n", "\n"),
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("index 9\n", "index 9\n" + "A" * 43 + "=\n"),
        lambda text: text.replace("index 9\n", "index 9\nAAAA\n"),
        lambda text: text + "x" * PROOF_BYTES_MAX,
    ],
)
def test_other_forms_are_refused(change: Callable[[str], str]) -> None:
    with pytest.raises((ProofFormatError, ProofError, NoteError)):
        verify_proof(parse_proof(change(FILE.decode()).encode()), VERIFIERS, origin=ORIGIN, entry=None)


def test_index_beyond_the_tree_other_keys_and_other_origins_are_refused() -> None:
    proof = proof_of(INDEX)
    beyond = TlogProof(len(ENTRIES), proof.hashes, proof.checkpoint, proof.extra)
    with pytest.raises(ProofError, match="no leaf 13"):
        verify_proof(beyond, VERIFIERS, origin=ORIGIN, entry=None)
    stranger = SigningKey(ORIGIN, KeyType.ED25519, bytes(32)).verifier
    with pytest.raises(NoteError, match="no signature of a known key"):
        verify_proof(proof, [stranger], origin=ORIGIN, entry=None)
    with pytest.raises(NoteError, match="not of"):
        verify_proof(proof, VERIFIERS, origin="example.com/other", entry=None)


def test_witness_named_like_the_log_does_not_sign_for_it() -> None:
    witness = SigningKey(ORIGIN, KeyType.MLDSA44_COSIGNATURE, b"w" * 32)
    forged, witnesses = proof_of(INDEX, [witness]), [witness.verifier]
    with pytest.raises(NoteError, match="no signature of a known key"):
        verify_proof(forged, VERIFIERS, origin=ORIGIN, entry=None, witnesses=witnesses)
    proof = proof_of(INDEX, [KEYS[0], witness])
    proved = verify_proof(proof, VERIFIERS, origin=ORIGIN, entry=None, witnesses=witnesses)
    assert [each.key for each in proved.signatures] == [KEYS[0].verifier, witness.verifier]


def test_proof_of_ten_million_entries_has_at_most_1536_bytes_without_entry_and_second_signature() -> None:
    size = 10_000_000
    hashes = [hash_leaf(bytes([each])) for each in range(len(inclusion_ranges(size // 3, size)))]
    checkpoint = Checkpoint("plumbline.local/audit", size, hash_leaf(b""))
    note = str(sign_checkpoint(checkpoint, KEYS[:1], time=0)).encode()
    assert len(TlogProof(size // 3, tuple(hashes), note).encode()) <= 1536


def test_specification_example_is_read() -> None:
    example = (
        "c2sp.org/tlog-proof@v1\nextra YWdl\nindex 73894\n"
        "gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=\n\n"
        "example.com/fancylog\n109482\nsFodV/vSp5O8n9a8QpW6PRY97tfOSW5bsc2Xl/EQi08=\n\n"
        "— example.com/fancylog AAAAAAAA\n"
    )
    proof = parse_proof(example.encode())
    assert (proof.index, proof.extra, len(proof.hashes)) == (73894, b"age", 1)
    assert proof.encode() == example.encode()
