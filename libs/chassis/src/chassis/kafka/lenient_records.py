"""Records whose header names are not UTF-8: read all the same (F33).

Kafka's protocol asks for UTF-8 there, but no broker checks it, and aiokafka's parser raises: the records
before it in the same fetch are not handed over, the fetch is repeated, and the partition stands still for
ever. Here such a batch is parsed again, and each bad byte becomes a lone surrogate in the name.
`chassis.messaging.message` takes such a message for malformed, so that it is set aside like any other.
"""

from collections.abc import Iterator
from typing import Any, SupportsIndex

from aiokafka.consumer import fetcher
from aiokafka.record import default_records, memory_records

# aiokafka's parsers in Python: one shows a batch's bytes, the other lets its buffer be replaced.
_Records: Any = vars(memory_records)["_MemoryRecordsPy"]
_SlowBatch: Any = vars(default_records)["_DefaultRecordBatchPy"]


class _LenientBytes(bytearray):
    """Bytes whose slices decode without failing."""

    def __getitem__(self, index: SupportsIndex | slice) -> Any:
        part: Any = super().__getitem__(index)
        return _LenientBytes(part) if isinstance(index, slice) else part

    def decode(self, encoding: str = "utf-8", errors: str = "surrogateescape") -> str:
        return super().decode(encoding, errors)


class _Batch:
    """A batch that is parsed whole, leniently where it must be; all else is aiokafka's."""

    def __init__(self, batch: Any, raw: memoryview) -> None:
        self._batch = batch
        self._raw = raw

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        """Return the next record as aiokafka reads it: so it looks into the markers of transactions."""
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
    """What one fetch brought of a partition."""

    def next_batch(self) -> Any:
        """The next batch; None at the end."""
        raw: Any = self._next_slice
        batch: Any = _Records.next_batch(self)
        return None if batch is None else _Batch(batch, raw)


def install() -> None:
    """Let every consumer of this process read leniently. aiokafka has no parameter for it."""
    fetcher.MemoryRecords = LenientRecords  # pyright: ignore[reportAttributeAccessIssue] - a replacement
