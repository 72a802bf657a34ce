"""Places outside the database where published checkpoints go (AU-4): a directory, and a topic.

A further place, such as an object store with a retention lock, implements `CheckpointSink`.
"""

import asyncio
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from audit.domain.log.checkpoints import Checkpoint, read_checkpoint
from audit.domain.log.notes import NoteError, parse_note
from chassis.kafka.outgoing_record import OutgoingRecord
from chassis.kafka.producer import Producer
from chassis.process.terminal import plain_reason
from contracts.checkpoints import checkpoint_metadata
from contracts.topics import AUDIT_CHECKPOINTS

ACK_SECONDS_MAX = 5.0

_FILE = re.compile(r"checkpoint-(\d{20})", re.ASCII)
_UNFINISHED = ".unfinished-"
_READ_ONLY = 0o444


class SinkError(Exception):
    """A place cannot be read or written, or holds another checkpoint of this size. The text says which."""


class CheckpointSink(Protocol):
    """A place that keeps checkpoints for ever.

    Attributes:
        name: for people.
        label: for metrics.
    """

    name: str
    label: str

    async def newest(self) -> bytes | None:
        """Return the note of the largest tree that is kept; None if none is, or if the place cannot be asked.

        Raises:
            SinkError: the place cannot be read.
        """
        ...

    async def publish(self, checkpoint: Checkpoint, note: bytes) -> None:
        """Keep a checkpoint. A checkpoint that is kept already is no error.

        Raises:
            SinkError: it cannot be kept now, or another one of this size is.
        """
        ...


def file_name(size: int) -> str:
    """Return the name of a checkpoint's file: names sort as sizes do."""
    return f"checkpoint-{size:020d}"


class CheckpointDirectory:
    """A directory with one file for each checkpoint, never overwritten.

    Args:
        path: must exist. The database's owner must not be able to write there.
    """

    label = "directory"

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._path = path

    async def newest(self) -> bytes | None:
        return await asyncio.to_thread(self._newest)

    async def publish(self, checkpoint: Checkpoint, note: bytes) -> None:
        await asyncio.to_thread(self._publish, checkpoint, note)

    def _newest(self) -> bytes | None:
        try:
            names = [entry.name for entry in os.scandir(self._path) if _FILE.fullmatch(entry.name)]
            return (self._path / max(names)).read_bytes() if names else None
        except OSError as error:
            raise SinkError(f"AUDIT_CHECKPOINT_DIR cannot be read: {plain_reason(error)}") from None

    def _publish(self, checkpoint: Checkpoint, note: bytes) -> None:
        path = self._path / file_name(checkpoint.size)
        try:
            if not path.exists():
                write_new(path, note)
            kept = path.read_bytes()
        except OSError as error:
            raise SinkError(f"AUDIT_CHECKPOINT_DIR cannot be written: {plain_reason(error)}") from None
        if kept != note and not _is_same(kept, checkpoint):
            raise SinkError(f"{path} holds another checkpoint of this size: the log has forked")


def write_new(path: Path, content: bytes) -> None:
    """Write a file that nobody ever sees half written, and that is still there after a loss of power.

    A file of this name that another process has written in the meantime is left as it is.
    """
    unfinished = path.with_name(f"{_UNFINISHED}{os.getpid()}-{path.name}")
    try:
        with open(unfinished, "wb", opener=_read_only) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        # A link, and not a rename: a link replaces no file.
        with suppress(FileExistsError):
            path.hardlink_to(unfinished)
        _sync_directory(path.parent)
    finally:
        unfinished.unlink(missing_ok=True)


def _read_only(name: str, flags: int) -> int:
    return os.open(name, flags, _READ_ONLY)


def _sync_directory(path: Path) -> None:
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _is_same(note: bytes, checkpoint: Checkpoint) -> bool:
    """Return whether a note is of the same tree: it may have been signed again, at another time."""
    try:
        return read_checkpoint(parse_note(note)) == checkpoint
    except NoteError:
        return False


class CheckpointTopic:
    """The topic `audit.checkpoints.v1`; its key is the log's origin, its values are the notes.

    Args:
        producer: started before the sealer.
    """

    label = "topic"
    name = AUDIT_CHECKPOINTS.name

    def __init__(self, producer: Producer) -> None:
        self._producer = producer

    async def newest(self) -> bytes | None:
        return None

    async def publish(self, checkpoint: Checkpoint, note: bytes) -> None:
        metadata = checkpoint_metadata(checkpoint.origin, checkpoint.size, checkpoint.root)
        record = OutgoingRecord(self.name, checkpoint.origin.encode(), note, metadata.to_headers())
        try:
            await self._producer.send(record, ack_seconds_max=ACK_SECONDS_MAX)
        except OSError as error:
            raise SinkError(f"{self.name}: {error}") from None
