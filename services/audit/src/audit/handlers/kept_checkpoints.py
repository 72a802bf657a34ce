"""Kept checkpoints: rows of the database and files outside of it, with their signatures verified (AU-4)."""

import re
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from audit.adapters.verification import CheckpointRow
from audit.domain.log.checkpoints import CheckpointError, read_checkpoint, verify_signatures
from audit.domain.log.keys import VerifierKey
from audit.domain.log.notes import NOTE_BYTES_MAX, NoteError, parse_note
from audit.domain.log.tampering import Finding, Tampering
from chassis.process.terminal import plain_reason

_PUBLISHED = re.compile(r"checkpoint-(\d{20})", re.ASCII)


class CheckpointFileError(Exception):
    """A file cannot be read, or holds a checkpoint of another log. The text names it."""


class _OtherLogError(NoteError):
    """A checkpoint is of another log."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A kept checkpoint that the log has signed. `is_outside` is false in the database."""

    size: int
    root: bytes
    place: str
    is_outside: bool = True


@dataclass(slots=True)
class Directory:
    """Files of a directory that may hold checkpoints.

    Attributes:
        sizes: of the files that a publisher named, ascending. There can be millions: nothing else is kept.
        others: files with other names, such as copies.
    """

    path: Path
    sizes: "array[int]" = field(default_factory=lambda: array("q"))
    others: list[Path] = field(default_factory=list[Path])

    def published(self, size: int) -> Path:
        return self.path / f"checkpoint-{size:020d}"


def list_directory(path: Path) -> Directory:
    """Look for checkpoints in a directory. Hidden files are unfinished and left out.

    Raises:
        CheckpointFileError: the directory cannot be read.
    """
    directory = Directory(path)
    sizes: list[int] = []
    try:
        for each in path.iterdir():
            if match := _PUBLISHED.fullmatch(each.name):
                sizes.append(int(match[1]))
            elif not each.name.startswith(".") and each.is_file():
                directory.others.append(each)
        directory.sizes.extend(sorted(sizes))
    except OSError as error:
        raise CheckpointFileError(plain_reason(error)) from None
    except OverflowError:
        raise CheckpointFileError(f"{path}: a file is named after a tree that no log can have") from None
    return directory


def check_row(row: CheckpointRow, keys: Sequence[VerifierKey], *, origin: str) -> Kept | Finding:
    """Return the checkpoint of a row of log_checkpoint, or what is wrong with it."""
    place = f"log_checkpoint {row.size}"
    try:
        kept = replace(_check(row.note.encode(), place, keys, origin), is_outside=False)
    except NoteError as error:
        return Finding(Tampering.CHECKPOINT, f"{place}: {error}")
    if (kept.size, kept.root) != (row.size, row.root):
        return Finding(Tampering.CHECKPOINT, f"{place}: its columns differ from its signed note")
    return kept


def check_copies(
    paths: Sequence[Path], keys: Sequence[VerifierKey], *, origin: str
) -> tuple[list[Kept | Finding], list[Path]]:
    """Return the checkpoints in files of any name, and the files that do not look like one of this log.

    Raises:
        CheckpointFileError: a file cannot be read, or holds a checkpoint of another log.
    """
    checked = [(path, check_file(path, keys, origin=origin)) for path in paths]
    strange = [path for path, result in checked if isinstance(result, Finding) and not _names(path, origin)]
    return [result for path, result in checked if path not in strange], strange


def _names(path: Path, origin: str) -> bool:
    first = f"{origin}\n".encode()
    return read_bounded(path, len(first))[: len(first)] == first


def check_file(
    path: Path, keys: Sequence[VerifierKey], *, origin: str, size: int | None = None
) -> Kept | Finding:
    """Return the checkpoint in a file, or what is wrong with it.

    Args:
        path: of the file.
        keys: of the log.
        origin: of the log.
        size: what the name of the file says; None if it says nothing.

    Raises:
        CheckpointFileError: the file cannot be read, or holds a checkpoint of another log.
    """
    try:
        kept = _check(read_bounded(path, NOTE_BYTES_MAX), str(path), keys, origin)
    except _OtherLogError as error:
        raise CheckpointFileError(f"{path}: {error}: name a directory of this log's checkpoints") from None
    except NoteError as error:
        return Finding(Tampering.CHECKPOINT, f"{path}: {error}")
    if size not in {None, kept.size}:
        return Finding(Tampering.CHECKPOINT, f"{path}: holds the checkpoint of another size, {kept.size}")
    return kept


def read_bounded(path: Path, bytes_max: int) -> bytes:
    """Return the content of a file, and of a larger one the first `bytes_max` + 1 bytes.

    Raises:
        CheckpointFileError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(bytes_max + 1)
    except OSError as error:
        raise CheckpointFileError(plain_reason(error)) from None


def _check(content: bytes, place: str, keys: Sequence[VerifierKey], origin: str) -> Kept:
    note = parse_note(content)
    checkpoint = read_checkpoint(note)
    if checkpoint.origin != origin:
        raise _OtherLogError(f"it is of the log {checkpoint.origin!r}, not of {origin!r}")
    if not verify_signatures(note, keys):
        raise CheckpointError(f"no known key of {origin} signed it")
    return Kept(checkpoint.size, checkpoint.root, place)
