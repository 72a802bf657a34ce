"""What must stand on a topic after loads, and nothing else: lost, doubled, altered, forged."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, TopicPartition

from bench.gateway_deliveries import Deliveries, id_in, number_in, tag_in
from bench.gateway_load import NOT_SENT, OK
from contracts.topics import WEBHOOKS_STRIPE


@dataclass(slots=True)
class Stored:
    """What a topic holds: how often each event, and how many values that nobody sent so."""

    copies: Counter[str] = field(default_factory=Counter[str])
    altered: int = 0


async def read_topic(bootstrap: str, topic: str, sent: Iterable[Deliveries]) -> Stored:
    """All of it, every value compared with what was sent."""
    deliveries = {each.tag: each for each in sent}
    stored = Stored()
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, max_poll_records=5_000)
    await consumer.start()
    try:
        places = [TopicPartition(topic, number) for number in range(WEBHOOKS_STRIPE.partitions)]
        consumer.assign(places)
        await consumer.seek_to_beginning()
        ends = await consumer.end_offsets(places)
        while any([await consumer.position(place) < end for place, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                for record in records:
                    _note(stored, record.value, deliveries)
    finally:
        await consumer.stop()
    return stored


def _note(stored: Stored, value: bytes, deliveries: Mapping[str, Deliveries]) -> None:
    event = id_in(value)
    stored.copies[event] += 1
    sent = deliveries.get(tag_in(event))
    stored.altered += sent is None or sent.body(number_in(event)) != value


def find_violations(sent: Iterable[tuple[Deliveries, list[int]]], stored: Stored) -> list[str]:
    """Return the violations of what every gateway must keep, one line each.

    Args:
        sent: of each load its deliveries and their answers by number.
        stored: what its topic holds.
    """
    found: Counter[str] = Counter({"with a value that nobody sent": stored.altered})
    for deliveries, statuses in sent:
        for number, status in enumerate(statuses):
            there = stored.copies[deliveries.event_id(number)]
            genuine = deliveries.is_genuine(number)
            found["acknowledged and lost"] += status in OK and not there
            found["doubled"] += there > 1
            found["forged and not refused"] += not genuine and status in OK
            found["forged and stored"] += not genuine and there > 0
            found["stored and never sent"] += status == NOT_SENT and there > 0
    return [f"{count} {what}" for what, count in found.items() if count]
