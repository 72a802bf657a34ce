"""Poll the Kafka client, and let its fetches wait at the broker while records come (decision 0060)."""

from collections.abc import Sequence
from itertools import chain
from typing import Any

POLL_MESSAGES_MAX = 500
POLL_MILLISECONDS_MAX = 500
"""A poll ends as soon as a record is there."""
FETCH_BYTES_MIN = 256 * 1024
"""A fetch that collects ends early with so many bytes."""

# aiokafka's defaults: a fetch ends with the first record, and without one after 500 ms.
_AT_ONCE = (1, 500)


class Fetches:
    """The fetches of one subscriber.

    While records come, a fetch collects them at the broker. The first record after a pause comes at once, and
    an idle consumer fetches no more often than without waits.

    Args:
        wait_milliseconds: how long a fetch collects; 0 to let it end with the first record.
    """

    def __init__(self, wait_milliseconds: int) -> None:
        self._collecting = (FETCH_BYTES_MIN, wait_milliseconds) if wait_milliseconds else _AT_ONCE

    async def poll(self, consumer: Any) -> Sequence[Any]:
        """Return the next records, in order per partition; none if none came in time."""
        # FastStream's own poll sleeps after an empty one: the next record would wait for its end.
        polled = await consumer.getmany(timeout_ms=POLL_MILLISECONDS_MAX, max_records=POLL_MESSAGES_MAX)
        # aiokafka reads both for each fetch, and has no public way to change them.
        fetcher = consumer._fetcher  # noqa: SLF001 - as above
        terms = self._collecting if polled else _AT_ONCE
        fetcher._fetch_min_bytes, fetcher._fetch_max_wait_ms = terms  # noqa: SLF001 - as above
        return tuple(chain.from_iterable(polled.values()))
