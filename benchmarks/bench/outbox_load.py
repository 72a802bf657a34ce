"""Events for an outbox and what must stand on the topic afterwards."""

from collections import Counter
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition

from chassis import clock
from chassis.messaging.outbox import OutgoingEvent
from contracts.bookings import BookingStatusChanged
from contracts.metadata import read_metadata
from contracts.topics import BOOKINGS_EVENTS
from plumbline import waiting

KEYS = 2_000


def make_events(count: int) -> list[OutgoingEvent]:
    """Transitions of `KEYS` bookings in turn; `sequence` counts those of one key from 1 on."""
    return [make_event(number) for number in range(count)]


def make_event(number: int) -> OutgoingEvent:
    """The event of that number; its time is now, its id new."""
    key = f"booking-{number % KEYS:05}"
    payload = BookingStatusChanged(
        booking_id=key,
        version=number // KEYS + 1,
        from_status="pending",
        to_status="confirmed",
        changed_by="stripe",
        reason="fully paid",
        metadata={"event_id": f"evt_{number:012}", "payment_id": f"pi_{number:012}"},
        recorded_at=clock.now(),
    )
    return OutgoingEvent(
        payload=payload,
        key=key,
        source="booking",
        subject=key,
        sequence=payload.version,
        event_id=clock.new_id(),
    )


@dataclass(frozen=True, slots=True)
class Arrival:
    """A record as it stands on the topic. `at` is the broker's own time, in seconds, to a millisecond."""

    event_id: str
    key: str
    sequence: int
    at: float


class Topic:
    """The topic of a sample, seen from outside: how much is there, and at the end all that is there."""

    def __init__(self, consumer: AIOKafkaConsumer, name: str) -> None:
        self._consumer = consumer
        self._places = [TopicPartition(name, number) for number in range(BOOKINGS_EVENTS.partitions)]

    async def wait_for(self, count: int, *, seconds_max: float) -> None:
        """Return when so many records are there; reads none of them."""

        async def there() -> bool:
            return sum((await self._consumer.end_offsets(self._places)).values()) >= count

        if not await waiting.until(there, seconds_max=seconds_max):
            raise TimeoutError(f"fewer than {count} records after {seconds_max:g} s")

    async def read(self) -> list[Arrival]:
        """Everything, in order within each partition."""
        self._consumer.assign(self._places)
        await self._consumer.seek_to_beginning()
        ends = await self._consumer.end_offsets(self._places)
        found: list[Arrival] = []
        while any([await self._consumer.position(place) < end for place, end in ends.items()]):
            for records in (await self._consumer.getmany(timeout_ms=200)).values():
                found += [_arrival(record) for record in records]
        return found


def _arrival(record: object) -> Arrival:
    metadata = read_metadata(record.headers)  # type: ignore[attr-defined]  # aiokafka ships no types
    return Arrival(metadata.id, record.key.decode(), metadata.sequence or 0, record.timestamp / 1_000)


@asynccontextmanager
async def open_topic(bootstrap: str, name: str) -> AsyncGenerator[Topic]:
    """The topic, with a consumer that has no group."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    await consumer.start()
    try:
        yield Topic(consumer, name)
    finally:
        await consumer.stop()


def find_violations(written: Iterable[OutgoingEvent], arrived: Sequence[Arrival]) -> list[str]:
    """Return what was lost, doubled, invented or out of order, for a relay that did not crash."""
    wanted = {event.event_id for event in written}
    copies = Counter(arrival.event_id for arrival in arrived)
    found = {
        "lost": len(wanted - copies.keys()),
        "doubled": sum(count > 1 for count in copies.values()),
        "never written": len(copies.keys() - wanted),
        "out of order within their key": _disordered(arrived),
    }
    return [f"{count} {what}" for what, count in found.items() if count]


def _disordered(arrived: Sequence[Arrival]) -> int:
    last: dict[str, int] = {}
    wrong = 0
    for arrival in arrived:
        wrong += arrival.sequence < last.get(arrival.key, 0)
        last[arrival.key] = arrival.sequence
    return wrong


def milliseconds_until(arrived: Iterable[Arrival], since: Mapping[str, float]) -> list[float]:
    """From a moment known for each event id until its record stood on the topic; others are left out."""
    return [(arrival.at - since[arrival.event_id]) * 1e3 for arrival in arrived if arrival.event_id in since]
