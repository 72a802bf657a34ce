"""Files that are whole or absent: readers never see half of one, and a crash leaves the old one."""

import os
from pathlib import Path

PRIVATE = 0o600
PUBLIC = 0o644


def write_bytes(path: Path, content: bytes, *, mode: int) -> None:
    """Replace `path` in one step; `mode` holds from the first byte on, so that a secret is never readable."""
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
    """As `write_bytes`, in UTF-8."""
    write_bytes(path, content.encode(), mode=mode)
