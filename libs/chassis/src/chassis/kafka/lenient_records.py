"""Read records whose header names are not UTF-8 (F33).

Kafka's protocol requires UTF-8, but no broker checks it. aiokafka's parser raises, drops the earlier records
of the same fetch and repeats the fetch: the partition stops for ever. This module parses such a batch again
and replaces each bad byte by a lone surrogate. `chassis.messaging.message` then treats the message as
malformed, so that it is set aside.
"""

from collections.abc import Iterator
from typing import Any, SupportsIndex

from aiokafka.consumer import fetcher
from aiokafka.record import default_records, memory_records

# aiokafka's parsers in Python: the first exposes the bytes of a batch, the second has a replaceable buffer.
_Records: Any = vars(memory_records)["_MemoryRecordsPy"]
_SlowBatch: Any = vars(default_records)["_DefaultRecordBatchPy"]


class _LenientBytes(bytearray):
    """Bytes whose slices decode without an error."""

    def __getitem__(self, index: SupportsIndex | slice) -> Any:
        part: Any = super().__getitem__(index)
        return _LenientBytes(part) if isinstance(index, slice) else part

    def decode(self, encoding: str = "utf-8", errors: str = "surrogateescape") -> str:
        return super().decode(encoding, errors)


class _Batch:
    """A batch that is parsed at once, leniently if necessary. All other methods are aiokafka's."""

    def __init__(self, batch: Any, raw: memoryview) -> None:
        self._batch = batch
        self._raw = raw

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        """Return the next record. aiokafka reads transaction markers in this way."""
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        try:
            return iter(list(self._batch))
        except UnicodeDecodeError:
            lenient = _SlowBatch(self._raw)
            lenient._maybe_uncompress()  # noqa: SLF001 - aiokafka has no public way to its bytes
            lenient._buffer = _LenientBytes(lenient._buffer)  # noqa: SLF001 - as above
            return iter(list(lenient))


class LenientRecords(_Records):
    """The records of one partition in one fetch."""

    def next_batch(self) -> Any:
        """Return the next batch; None at the end."""
        raw: Any = self._next_slice
        batch: Any = _Records.next_batch(self)
        return None if batch is None else _Batch(batch, raw)


def install() -> None:
    """Make every consumer of this process read leniently. aiokafka has no parameter for this."""
    fetcher.MemoryRecords = LenientRecords  # pyright: ignore[reportAttributeAccessIssue] - a replacement
