"""Digests of migrations: a published file that is edited would leave databases that differ for ever.

`migrations.lock` holds `sha256  path` of each file. `make contracts` adds new files and refuses changed ones.
"""

import hashlib
import sys
from collections.abc import Mapping
from pathlib import Path

LOCK = "libs/chassis/migrations.lock"
PATTERNS = ("libs/chassis/src/chassis/migrations/*.sql", "services/*/src/*/migrations/*.sql")


def digests(root: Path) -> dict[str, str]:
    """Return the SHA-256 of each migration by its path."""
    paths = sorted(path for pattern in PATTERNS for path in root.glob(pattern))
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def read_lock(root: Path) -> dict[str, str]:
    """Return the published digests by path; empty without a file."""
    path = root / LOCK
    lines = path.read_text().splitlines() if path.exists() else []
    return {name: digest for digest, name in (line.split("  ", 1) for line in lines if line)}


def problems(published: Mapping[str, str], present: Mapping[str, str], *, is_check: bool) -> list[str]:
    """Return a line for each published file that changed or is gone and, in a check, each new one."""
    lines = [
        f"{name} was {'edited' if name in present else 'removed'} after it was published: restore it,"
        " and write a new migration"
        for name, digest in published.items()
        if present.get(name) != digest
    ]
    if is_check:
        lines += [
            f"{name} is not in {LOCK}: run `make contracts`" for name in present if name not in published
        ]
    return lines


def main() -> None:
    """Add new files to the lock, or with `--check` only compare. Exit with 1 if a published file changed."""
    root, is_check = Path.cwd(), "--check" in sys.argv
    present = digests(root)
    lines = problems(read_lock(root), present, is_check=is_check)
    for line in lines:
        sys.stderr.write(f"migrations: {line}\n")
    if lines:
        raise SystemExit(1)
    if not is_check:
        (root / LOCK).write_text("".join(f"{digest}  {name}\n" for name, digest in present.items()))


if __name__ == "__main__":
    main()
