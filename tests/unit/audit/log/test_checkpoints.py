"""Notes, keys and checkpoints: the examples of the C2SP specifications, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.domain.log.checkpoints import (
    Checkpoint,
    CheckpointError,
    cosign,
    open_checkpoint,
    read_checkpoint,
    sign_checkpoint,
    verify_signatures,
)
from audit.domain.log.keys import (
    InvalidKeyError,
    KeyType,
    SigningKey,
    parse_signing_key,
    parse_verifier_key,
)
from audit.domain.log.notes import Note, NoteError, lines_by, parse_note
from audit.domain.log.tree import hash_leaf

ORIGIN = "example.com/behind-the-sofa"
KEYS = [SigningKey(ORIGIN, key_type, bytes([key_type]) * 32) for key_type in KeyType]
CHECKPOINT = Checkpoint(ORIGIN, 20852163, hash_leaf(b"root"))
SIGNED = str(sign_checkpoint(CHECKPOINT, KEYS, time=1_679_315_147)).encode()


def test_example_of_signed_note_is_verified_by_its_key() -> None:
    key = parse_verifier_key("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k")
    note = parse_note(
        "This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlT"
        "gK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n".encode()
    )
    ((found, line),) = lines_by(note, [key])
    assert found.verifies(line.signature, note.text.encode())
    assert not found.verifies(line.signature, note.text.encode() + b"x")
    assert str(key).startswith("example.com/foo+530d903a+")


def test_message_of_a_timestamped_cosignature_is_the_one_of_the_specification() -> None:
    key = KEYS[1]
    line = cosign(CHECKPOINT, key, time=1_679_315_147)
    message = f"cosignature/v1\ntime 1679315147\n{CHECKPOINT.text()}".encode()
    assert line.signature[:8] == (1_679_315_147).to_bytes(8, "big")
    assert key.verifier.verifies(line.signature[8:], message)


def test_message_of_a_ml_dsa_cosignature_is_the_struct_of_the_specification() -> None:
    key = KEYS[2]
    line = cosign(CHECKPOINT, key, time=7)
    name = bytes([len(ORIGIN)]) + ORIGIN.encode()
    message = b"subtree/v1\n\0" + name + (7).to_bytes(8, "big") + name + bytes(8)
    message += CHECKPOINT.size.to_bytes(8, "big") + CHECKPOINT.root
    assert key.verifier.verifies(line.signature[8:], message)


def test_signed_checkpoint_is_read_back_with_all_its_signatures() -> None:
    checkpoint, note = open_checkpoint(SIGNED, [key.verifier for key in KEYS], origin=ORIGIN)
    assert checkpoint == CHECKPOINT
    assert str(note).encode() == SIGNED
    verified = verify_signatures(note, [key.verifier for key in KEYS])
    assert [each.time for each in verified] == [None, 1_679_315_147, 1_679_315_147]


@given(st.integers(0, len(SIGNED) - 1), st.integers(1, 255))
def test_a_changed_byte_is_never_verified(at: int, change: int) -> None:
    changed = bytearray(SIGNED)
    changed[at] ^= change
    try:
        checkpoint, note = open_checkpoint(bytes(changed), [key.verifier for key in KEYS], origin=ORIGIN)
    except NoteError:
        return
    # A line whose name or id was changed is a stranger's, and is ignored.
    assert checkpoint == CHECKPOINT
    assert note.text == CHECKPOINT.text()
    assert len(verify_signatures(note, [key.verifier for key in KEYS])) < len(KEYS)


@pytest.mark.parametrize("key", KEYS[1:])
def test_time_of_more_than_63_bits_is_none(key: SigningKey) -> None:
    last, beyond = (sign_checkpoint(CHECKPOINT, [key], time=time) for time in (2**63 - 1, 2**63))
    assert verify_signatures(last, [key.verifier])[0].time == 2**63 - 1
    with pytest.raises(CheckpointError, match="time"):
        verify_signatures(beyond, [key.verifier])


def test_checkpoint_of_another_log_or_without_a_known_key_is_refused() -> None:
    with pytest.raises(CheckpointError, match=r"not of 'example\.com/other'"):
        open_checkpoint(SIGNED, [KEYS[0].verifier], origin="example.com/other")
    stranger = SigningKey(ORIGIN, KeyType.ED25519, bytes(32))
    with pytest.raises(CheckpointError, match="no signature of a known key"):
        open_checkpoint(SIGNED, [stranger.verifier], origin=ORIGIN)


@pytest.mark.parametrize(
    "text",
    ["a\n1\n", "a\n01\n{root}\n", "a\n-1\n{root}\n", "a\n\u0661\n{root}\n", "a\n1\nAAAA\n", "a\n0\n{root}\n",
     "a\n9223372036854775808\n{root}\n", "\n1\n{root}\n",
     "a\n1\n{root}\n\nb\n", "a\n" + "9" * 5000 + "\n{root}\n"],
)  # fmt: skip
def test_other_texts_are_no_checkpoints(text: str) -> None:
    root = CHECKPOINT.text().split("\n")[2]
    with pytest.raises(CheckpointError):
        read_checkpoint(Note(text.replace("{root}", root), ()))


@given(st.binary(max_size=300))
def test_noise_is_no_note(noise: bytes) -> None:
    with pytest.raises(NoteError):
        open_checkpoint(noise, [], origin=ORIGIN)


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.type.name)
def test_keys_are_read_back_and_a_damaged_one_is_refused_without_showing_it(key: SigningKey) -> None:
    assert parse_signing_key(key.encode()) == key
    assert parse_verifier_key(str(key.verifier)) == key.verifier
    secret = key.encode().rpartition("+")[2]
    assert secret not in repr(key)
    for damaged in (key.encode()[:-4], key.encode().replace(key.verifier.id.hex(), "00000000"), secret, ""):
        with pytest.raises(InvalidKeyError) as error:
            parse_signing_key(damaged)
        assert secret[:16] not in str(error.value)
