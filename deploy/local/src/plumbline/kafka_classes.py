"""Cache of Kafka's classes, loaded and linked ahead of time (JEP 483), for cheaper starts of the broker.

A broker uses the cache if there is one. `make test` makes it (tests/harness/kafka_classes.py). Java ignores a
cache that does not fit, and says why in the broker's log.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path


def path(directory: Path, java: Path, jars: Sequence[Path], options: Sequence[str]) -> Path:
    """Return the path of the cache for this Java, these jars and these options. The file may not exist."""
    home = java.parents[1]
    # Java takes a cache only if its own modules and the jars have the sizes and times of the training run.
    stats = [(each.name, each.stat().st_size, each.stat().st_mtime_ns) for each in (_modules(home), *jars)]
    parts = ((home / "release").read_text(encoding="utf-8"), str(jars[0].parent), stats, list(options))
    return directory / f"classes-{hashlib.sha256(repr(parts).encode()).hexdigest()[:16]}.aot"


def use(cache: Path) -> tuple[str, ...]:
    """Return Java's options for a run with the cache; none if the cache has not been made."""
    return (f"-XX:AOTCache={cache}",) if cache.is_file() else ()


def train(cache: Path) -> tuple[str, ...]:
    """Return Java's options for a run that writes the cache at its end."""
    return (f"-XX:AOTCacheOutput={cache}",)


def _modules(home: Path) -> Path:
    return home / "lib" / "modules"
