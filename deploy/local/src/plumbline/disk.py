"""Room on the disk is looked at before anything is written: a full one breaks servers in obscure ways."""

import shutil
from pathlib import Path

from plumbline.failure import StackError


def require_free_space(directory: Path, *, free_bytes_min: int, variable: str) -> None:
    """`StackError` if less than `free_bytes_min` are free where `directory` is, or will be.

    `variable` is what moves it elsewhere.
    """
    absolute = directory.absolute()
    existing = next(folder for folder in (absolute, *absolute.parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    if free < free_bytes_min:
        raise StackError(
            f"the disk of {directory} is full: {free >> 20} MiB free, {free_bytes_min >> 20} MiB needed;"
            f" make room, or set {variable}"
        )
