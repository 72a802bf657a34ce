"""Check of free disk space before anything is written: on a full disk, servers fail with obscure errors."""

import shutil
from pathlib import Path

from plumbline.failure import StackError


def require_free_space(directory: Path, *, free_bytes_min: int, variable: str) -> None:
    """Raise `StackError` if the disk of `directory` has less than `free_bytes_min` bytes free.

    `directory` need not exist yet. `variable` is the setting that moves it to another disk.
    """
    absolute = directory.absolute()
    existing = next(folder for folder in (absolute, *absolute.parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    if free < free_bytes_min:
        raise StackError(
            f"the disk of {directory} is full: {free >> 20} MiB free, {free_bytes_min >> 20} MiB needed;"
            f" free some space, or set {variable}"
        )
