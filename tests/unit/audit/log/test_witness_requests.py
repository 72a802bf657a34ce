"""The witness protocol, pure: requests are read strictly, refusals have their status, answers are checked."""

from base64 import b64encode
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.domain.log.checkpoints import Checkpoint, cosign_note, sign_checkpoint, verify_signatures
from audit.domain.log.keys import KeyType, SigningKey
from audit.domain.log.notes import Note
from audit.domain.log.tree import EMPTY_ROOT, consistency_ranges, hash_leaf, root_of
from audit.domain.log.witness_answers import (
    Cosigned,
    HasSeen,
    NotCosigned,
    Outcome,
    read_answer,
    retry_seconds,
)
from audit.domain.log.witness_requests import (
    NOTHING_SEEN,
    AddCheckpoint,
    Seen,
    WitnessRefusalError,
    check_continues,
    check_signed,
    parse_add_checkpoint,
    parse_size,
    read_submitted,
)

ORIGIN = "example.com/behind-the-sofa"
LOG = SigningKey(ORIGIN, KeyType.ED25519, b"l" * 32)
WITNESS = SigningKey("witness.example", KeyType.ED25519_COSIGNATURE, b"w" * 32)
WITNESS_PQ = SigningKey("witness.example", KeyType.MLDSA44_COSIGNATURE, b"w" * 32)
LEAVES = [hash_leaf(bytes([number])) for number in range(70)]

# The example of the specification.
CHECKPOINT = """\
example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa \
Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— example.com/behind-the-sofa \
opLqBQsREYCgu6xQkYQwJr9fo45a62DN9EdmHXnZdXNqlcVGlCum2Wks+49/V6267UEjw6QUXTS5Rovnzv++qbSzm9Q=
"""
EXAMPLE = f"""\
old 20852014
PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=
/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=

{CHECKPOINT}"""


def _root(size: int) -> bytes:
    return root_of(LEAVES[:size])


def _proof(old_size: int, size: int) -> tuple[bytes, ...]:
    return tuple(root_of(LEAVES[start:end]) for start, end in consistency_ranges(old_size, size))


def _request(old_size: int, size: int, proof: tuple[bytes, ...] | None = None) -> AddCheckpoint:
    note = sign_checkpoint(Checkpoint(ORIGIN, size, _root(size)), [LOG], time=1)
    return AddCheckpoint(old_size, _proof(old_size, size) if proof is None else proof, note)


def _refused(request: AddCheckpoint, seen: Seen) -> tuple[int, int | None]:
    with pytest.raises(WitnessRefusalError) as refused:
        check_continues(request, read_submitted(request.note), seen)
    return refused.value.status, refused.value.size


def test_example_of_the_specification_is_read_and_written_as_it_is() -> None:
    request = parse_add_checkpoint(EXAMPLE.encode())
    assert (request.old_size, len(request.proof)) == (20852014, 4)
    assert read_submitted(request.note).size == 20852163
    assert request.encode().decode() == EXAMPLE


@given(st.integers(0, 69), st.integers(0, 69))
def test_a_tree_that_continues_the_one_seen_is_cosigned(one: int, other: int) -> None:
    old_size, size = sorted((one, other))
    request = parse_add_checkpoint(_request(old_size, size).encode())
    submitted = read_submitted(request.note)
    check_signed(request.note, [LOG.verifier])
    check_continues(request, submitted, Seen(old_size, _root(old_size)) if old_size else NOTHING_SEEN)


@given(st.integers(1, 69), st.integers(1, 69), st.data())
def test_a_tree_that_does_not_continue_it_is_422(one: int, other: int, data: st.DataObject) -> None:
    old_size, size = sorted((one, other))
    fork = Seen(old_size, hash_leaf(b"fork"))
    assert _refused(_request(old_size, size), fork) == (422, None)
    proof = list(_proof(old_size, size))
    if proof:
        at = data.draw(st.integers(0, len(proof) - 1))
        proof[at] = hash_leaf(proof[at])
    else:
        proof = [hash_leaf(b"one too many")]
    assert _refused(_request(old_size, size, tuple(proof)), Seen(old_size, _root(old_size))) == (422, None)


def test_old_size_of_another_tree_is_409_with_the_size_that_was_seen() -> None:
    assert _refused(_request(3, 9), Seen(5, _root(5))) == (409, 5)
    assert _refused(_request(0, 9), Seen(9, _root(9))) == (409, 9)
    assert _refused(_request(3, 9), NOTHING_SEEN) == (409, 0)


def test_old_size_above_the_tree_is_400_whatever_was_seen() -> None:
    request = _request(0, 9)
    too_large = AddCheckpoint(10, (), request.note)
    assert _refused(too_large, Seen(10, _root(10))) == (400, None)


def test_proof_from_the_empty_tree_must_be_empty() -> None:
    assert _refused(_request(0, 9, (hash_leaf(b""),)), NOTHING_SEEN) == (422, None)


def test_empty_tree_with_another_root_is_422() -> None:
    note = sign_checkpoint(Checkpoint(ORIGIN, 0, hash_leaf(b"")), [LOG], time=1)
    with pytest.raises(WitnessRefusalError) as refused:
        read_submitted(note)
    assert refused.value.status == 422
    good = sign_checkpoint(Checkpoint(ORIGIN, 0, EMPTY_ROOT), [LOG], time=1)
    check_continues(AddCheckpoint(0, (), good), read_submitted(good), NOTHING_SEEN)


def test_unknown_log_is_404_and_a_log_that_did_not_sign_403() -> None:
    note = _request(0, 9).note
    forged = Note(note.text.replace("9", "8", 1), note.signatures)
    other = SigningKey(ORIGIN, KeyType.ED25519, b"o" * 32).verifier
    for keys, submitted, status in (
        ([], note, 404),
        ([other], note, 403),
        ([LOG.verifier], forged, 403),
        ([other, LOG.verifier], forged, 403),
    ):
        with pytest.raises(WitnessRefusalError) as refused:
            check_signed(submitted, keys)
        assert refused.value.status == status
    check_signed(note, [other, LOG.verifier])


@pytest.mark.parametrize(
    "change",
    [
        ("old 20852014\n", "old 020852014\n"),
        ("old 20852014\n", "old -1\n"),
        ("old 20852014\n", "old 9223372036854775808\n"),
        ("old 20852014\n", "old  20852014\n"),
        ("old 20852014\n", "new 20852014\n"),
        ("old 20852014\n", ""),
        ("old 20852014\n", "old 20852014\r\n"),
        ("PlRN", "PlR!"),
        ("PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=", "PlRN"),
        ("Kj/0=\n\n", "Kj/0=\n"),
        ("20852163\n", "0x13\n"),
        ("— example", "- example"),
    ],
)
def test_what_is_no_request_is_400(change: tuple[str, str]) -> None:
    changed = EXAMPLE.replace(*change)
    assert changed != EXAMPLE
    with pytest.raises(WitnessRefusalError) as refused:
        read_submitted(parse_add_checkpoint(changed.encode()).note)
    assert refused.value.status == 400


def test_proof_of_more_than_63_hashes_is_400() -> None:
    line = f"{b64encode(bytes(32)).decode()}\n"
    most = f"old 1\n{line * 63}\n{CHECKPOINT}"
    assert len(parse_add_checkpoint(most.encode()).proof) == 63
    with pytest.raises(WitnessRefusalError) as refused:
        parse_add_checkpoint(most.replace("old 1\n", f"old 1\n{line}").encode())
    assert refused.value.status == 400


@given(st.binary(max_size=400) | st.binary(max_size=100).map(lambda noise: EXAMPLE.encode() + noise))
def test_noise_is_refused_or_read(noise: bytes) -> None:
    with suppress(WitnessRefusalError):
        read_submitted(parse_add_checkpoint(noise).note)


def test_cosignature_covers_extension_lines_where_its_type_does() -> None:
    note = Note(f"{Checkpoint(ORIGIN, 9, _root(9)).text()}extension line\n", ())
    keys = [WITNESS, WITNESS_PQ]
    lines = tuple(cosign_note(note, key, time=5) for key in keys)
    verifiers = [key.verifier for key in keys]
    assert [each.time for each in verify_signatures(Note(note.text, lines), verifiers)] == [5, 5]
    without = Note(Checkpoint(ORIGIN, 9, _root(9)).text(), lines[1:])
    assert len(verify_signatures(without, verifiers)) == 1


def _answer(status: int, body: bytes = b"", media_type: str = "") -> object:
    keys = [WITNESS.verifier, WITNESS_PQ.verifier]
    return read_answer(status, media_type, body, submitted=_request(0, 9).note, keys=keys)


def test_answer_with_cosignatures_is_verified_and_strangers_are_left_out() -> None:
    note = _request(0, 9).note
    stranger = SigningKey("stranger.example", KeyType.ED25519_COSIGNATURE, b"s" * 32)
    lines = "".join(str(cosign_note(note, key, time=7)) for key in (stranger, WITNESS, WITNESS_PQ))
    answer = _answer(200, lines.encode())
    assert isinstance(answer, Cosigned)
    assert [signed.key for signed in answer.signatures] == [WITNESS.verifier, WITNESS_PQ.verifier]


def test_answer_without_a_good_cosignature_is_invalid() -> None:
    note = _request(0, 9).note
    other = _request(0, 8).note
    stranger = SigningKey("stranger.example", KeyType.ED25519_COSIGNATURE, b"s" * 32)
    for body in (
        b"",
        b"\xff\n",
        str(cosign_note(note, stranger, time=7)).encode(),
        str(cosign_note(other, WITNESS, time=7)).encode(),
        str(cosign_note(note, WITNESS, time=0)).encode(),
        f"{cosign_note(note, WITNESS, time=7)}{cosign_note(other, WITNESS_PQ, time=7)}".encode(),
    ):
        answer = _answer(200, body)
        assert isinstance(answer, NotCosigned)
        assert answer.outcome is Outcome.INVALID_ANSWER


def test_size_of_a_conflict_is_read_and_other_statuses_are_told_apart() -> None:
    assert _answer(409, b"7\n", "text/x.tlog.size") == HasSeen(7)
    assert _answer(409, b"7", "Text/X.Tlog.Size; charset=utf-8") == HasSeen(7)
    assert [parse_size(body) for body in (b"07\n", b"7\n\n", b"", b"9223372036854775808")] == [None] * 4
    outcomes = {
        (409, "text/x.tlog.size"): Outcome.INVALID_ANSWER,
        (409, "text/plain"): Outcome.FAILED,
        (404, ""): Outcome.UNKNOWN_LOG,
        (403, ""): Outcome.UNKNOWN_KEY,
        (422, ""): Outcome.INCONSISTENT,
        (503, ""): Outcome.FAILED,
        (302, ""): Outcome.FAILED,
    }
    for (status, media_type), outcome in outcomes.items():
        answer = _answer(status, b"seven", media_type)
        assert isinstance(answer, NotCosigned)
        assert answer.outcome is outcome


def test_pauses_double_up_to_a_minute() -> None:
    assert [retry_seconds(failures, interval=5) for failures in (1, 2, 3, 4, 5, 9999)] == [
        5,
        10,
        20,
        40,
        60,
        60,
    ]
    assert retry_seconds(1, interval=90) == 90
