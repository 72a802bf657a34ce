"""A directory keeps each checkpoint once, whole, for ever (AU-4)."""

from pathlib import Path

import pytest

from audit.adapters.checkpoint_sinks import CheckpointDirectory, SinkError, write_new
from audit.domain.log.checkpoints import Checkpoint, sign_checkpoint
from audit.domain.log.keys import KeyType, SigningKey

KEY = SigningKey("example.com/log", KeyType.ED25519_COSIGNATURE, bytes(32))


def checkpoint(size: int, fill: int = 7) -> Checkpoint:
    return Checkpoint("example.com/log", size, bytes([fill] * 32))


def note(of: Checkpoint, time: int = 1) -> bytes:
    return str(sign_checkpoint(of, [KEY], time=time)).encode()


def files(directory: Path) -> list[tuple[str, bytes]]:
    return [(path.name, path.read_bytes()) for path in directory.iterdir()]


async def test_newest_is_that_of_the_largest_tree_whatever_else_lies_there(tmp_path: Path) -> None:
    directory = CheckpointDirectory(tmp_path)
    assert await directory.newest() is None
    for size in (9, 100, 20):
        await directory.publish(checkpoint(size), note(checkpoint(size)))
    for name in (".unfinished-7-checkpoint-00000000000000000200", "checkpoint-300", "zzz"):
        (tmp_path / name).write_bytes(b"x")
    assert await directory.newest() == note(checkpoint(100))
    assert (tmp_path / f"checkpoint-{20:020d}").stat().st_mode & 0o777 == 0o444


async def test_kept_checkpoint_is_never_overwritten(tmp_path: Path) -> None:
    directory, first = CheckpointDirectory(tmp_path), note(checkpoint(5))
    await directory.publish(checkpoint(5), first)
    await directory.publish(checkpoint(5), note(checkpoint(5), time=2))  # signed again, the same tree
    with pytest.raises(SinkError, match="another checkpoint of this size: the log has forked"):
        await directory.publish(checkpoint(5, 8), note(checkpoint(5, 8)))
    assert files(tmp_path) == [(f"checkpoint-{5:020d}", first)]


def test_file_that_another_process_has_written_meanwhile_stays(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    write_new(path, b"first")
    write_new(path, b"second")
    assert files(tmp_path) == [("checkpoint", b"first")]


async def test_directory_that_is_gone_is_named(tmp_path: Path) -> None:
    directory = CheckpointDirectory(tmp_path / "gone")
    for act in (directory.newest(), directory.publish(checkpoint(1), note(checkpoint(1)))):
        with pytest.raises(SinkError, match=r"AUDIT_CHECKPOINT_DIR cannot be .*gone"):
            await act
