"""Room on the disk is looked at before anything is started: a full one breaks servers in obscure ways."""

import shutil
from pathlib import Path

from plumbline.failure import StackError

FREE_BYTES_MIN = 256 * 1024 * 1024


def require_room(directory: Path, *, free_bytes_min: int = FREE_BYTES_MIN) -> None:
    """`StackError` if less than `free_bytes_min` are free where `directory` is, or will be."""
    existing = next(
        folder for folder in (directory.absolute(), *directory.absolute().parents) if folder.exists()
    )
    free = shutil.disk_usage(existing).free
    if free < free_bytes_min:
        raise StackError(
            f"the disk of {directory} is full: {free >> 20} MiB free, {free_bytes_min >> 20} MiB needed;"
            " make room, or set PLUMBLINE_STATE"
        )
