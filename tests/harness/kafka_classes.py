"""Makes the cache of Kafka's classes (`plumbline.kafka_classes`): `python -m harness.kafka_classes`.

A broker starts and stops once for these jars and this Java, before the tests. Every start afterwards is
cheaper, also of `make up` and `make demo`. Without a cache brokers start as before, so no error is fatal.
"""

import asyncio
import contextlib
import fcntl
import sys
import tempfile
import time
from collections.abc import Generator
from pathlib import Path

from harness.ports import free_port
from plumbline.failure import StackError
from plumbline.kafka import CONTROLLER_PORT_OFFSET, EmbeddedKafka

_CACHES_KEPT = 3
_STOP_SECONDS_MAX = 120.0
"""Java writes the cache when the broker has stopped: five seconds of CPU."""
_MEBIBYTE_BITS = 20


async def make() -> Path | None:
    """Make the cache and return its path; None if there is one already.

    Raises:
        StackError: the broker did not start, or wrote no cache.
    """
    with tempfile.TemporaryDirectory(prefix="plumbline-classes-") as name:
        trained = Path(name) / "classes.aot"
        kafka = EmbeddedKafka(
            Path(name) / "kafka", free_port(CONTROLLER_PORT_OFFSET + 1), trained_classes=trained
        )
        cache = await kafka.class_cache()
        with _lock(cache.parent):
            if cache.is_file():
                return None
            await kafka.start()
            kafka.process.stop_seconds_max = _STOP_SECONDS_MAX
            await kafka.stop()
            if not trained.is_file():
                raise StackError(f"Java wrote no cache {kafka.process.log_tail()}")
            _move(trained, cache)
            _delete_old(cache.parent)
    return cache


@contextlib.contextmanager
def _lock(directory: Path) -> Generator[None]:
    with (directory / "classes.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _move(trained: Path, cache: Path) -> None:
    """Move a file, also to another file system; no broker sees half of it."""
    unfinished = cache.with_suffix(".new")
    unfinished.write_bytes(trained.read_bytes())
    unfinished.replace(cache)


def _delete_old(directory: Path) -> None:
    """Delete caches of former jars and Javas. A broker that runs with one keeps its pages."""
    caches = sorted(directory.glob("classes-*.aot"), key=lambda each: each.stat().st_mtime, reverse=True)
    for old in caches[_CACHES_KEPT:]:
        old.unlink(missing_ok=True)


def _main() -> None:
    began = time.monotonic()
    try:
        made = asyncio.run(make())
    except (StackError, OSError) as error:
        sys.stderr.write(f"kafka: no cache of classes was made, brokers start without: {error}\n")
        return
    if made:
        size, seconds = made.stat().st_size >> _MEBIBYTE_BITS, time.monotonic() - began
        sys.stderr.write(
            f"kafka: a cache of its classes was made for later starts, {size} MiB in {seconds:.0f} s\n"
        )


if __name__ == "__main__":
    _main()
