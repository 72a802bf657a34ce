"""Atomic file writes: readers never see a partial file, and a crash leaves the old file."""

import os
from pathlib import Path

PRIVATE = 0o600
PUBLIC = 0o644


def write_bytes(path: Path, content: bytes, *, mode: int) -> None:
    """Replace `path` atomically. `mode` holds from the first byte on, so a secret is never exposed."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_text(path: Path, content: str, *, mode: int) -> None:
    """Write text in UTF-8 as `write_bytes` does."""
    write_bytes(path, content.encode(), mode=mode)
