"""Detects changes of the configuration files."""

import hashlib
import os
from collections.abc import Collection
from pathlib import Path

from webhook_gateway.domain.source import Source


def read_fingerprint(sources_file: str | None, sources: Collection[Source]) -> bytes:
    """Return a digest of the sources file and of all secret files of these sources.

    By content, since a mounted secret's files are replaced by turning a link (Kubernetes), and since times
    of change are too coarse. A file that cannot be read counts as changed once.
    """
    digest = hashlib.sha256()
    for path in _paths(sources_file, sources):
        digest.update(os.fsencode(path) + b"\0")
        try:
            digest.update(hashlib.sha256(Path(path).read_bytes()).digest())
        except OSError as error:
            digest.update(type(error).__name__.encode())
    return digest.digest()


def _paths(sources_file: str | None, sources: Collection[Source]) -> list[str]:
    variables = sorted({accepted.variable for source in sources for accepted in source.accepted})
    paths = [sources_file, *(os.environ.get(f"{variable}_FILE") for variable in variables)]
    return [path for path in paths if path]
