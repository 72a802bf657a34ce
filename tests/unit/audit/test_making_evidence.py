"""A file of evidence is made of what is stored, and not of a log that was changed."""

from dataclasses import replace

import pytest

from audit.adapters.booking_leaves import BookingEntry
from audit.domain.log.evidence import encode_evidence, read_evidence
from audit.domain.log.evidence_checks import check_evidence
from audit.domain.log.keys import VerifierKey
from audit.domain.log.policies import parse_policy
from audit.domain.log.tiles import tiles_of
from audit.domain.log.tree import inclusion_ranges
from audit.handlers.evidence import EvidenceRequest, WrongProofsError, _Material, _proved
from harness.evidence_files import AT, BOOKING_ID, LOG_KEY, STRANGER, SampleLog, policy, sample_log

WITNESSES = parse_policy(policy().encode())


def material(log: SampleLog, keys: list[VerifierKey] | None = None) -> _Material:
    size = len(log.sealed)
    indexes = [index for index, form in enumerate(log.sealed) if BOOKING_ID.encode() in form]
    hashes_of = log.hashes_of()
    tiles = tiles_of(each for index in indexes for each in inclusion_ranges(index, size))
    return _Material(
        EvidenceRequest(BOOKING_ID, keys or [LOG_KEY.verifier], WITNESSES, actor="me", through="cli"),
        str(log.checkpoint()),
        size,
        [BookingEntry(index, "booking.created", AT, index, log.sealed[index]) for index in indexes],
        [BookingEntry(9, "booking.changed", AT, None, None)],
        {key: b"".join(hashes_of(key)) for key in tiles},
        {index: log.payloads[index] for index in indexes[1:]},
    )


def test_file_of_stored_leaves_and_tiles_passes_every_check() -> None:
    made, is_witnessed = _proved(material(sample_log()))
    evidence = read_evidence(encode_evidence(made).encode())
    assert is_witnessed
    results = {check.id: check.result for check in check_evidence(evidence, [LOG_KEY.verifier])}
    assert results.pop("waiting") == "note"
    assert set(results.values()) == {"pass"}
    assert [entry.payload == "erased" for entry in evidence.entries] == [True] + [False] * 5


def test_no_file_is_made_of_a_log_that_was_changed() -> None:
    whole = material(sample_log())
    changed_leaf = replace(
        whole.sealed[2], sealed=(whole.sealed[2].sealed or b"").replace(b"success", b"failed")
    )
    key = min(whole.tiles)
    for damaged, check in (
        (replace(whole, sealed=[*whole.sealed[:2], changed_leaf]), "entries"),
        (replace(whole, tiles={**whole.tiles, key: bytes(len(whole.tiles[key]))}), "entries"),
        (replace(whole, tiles={**whole.tiles, key: b""}), "entries"),
        (replace(whole, request=replace(whole.request, keys=[STRANGER.verifier])), "signature"),
        (replace(whole, note=whole.note.replace("600", "601")), "signature"),
    ):
        with pytest.raises(WrongProofsError, match=f"^{check}: "):
            _proved(damaged)
