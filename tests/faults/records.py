"""Records that nobody expects: F26, F28, F33."""

from collections import Counter
from dataclasses import fields

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from faults.plan import SHORT
from faults.scene import Scene
from faults.snapshot import Snapshot, take_snapshot
from harness import Record, eventually
from harness.topics import RawName

CATCH_UP_SECONDS_MAX = 120.0
BIG_BYTES = 1024 * 1024 + 1024
"""More than a MiB, and as much as a topic takes."""

_REPLAYED_BY = {
    "booking": ("webhooks.stripe.v1", "webhooks.sms.v1"),
    "audit": ("webhooks.stripe.v1", "webhooks.sms.v1", "bookings.events.v1", "dead-letters.v1"),
}


async def replayed(scene: Scene) -> None:
    """F26: both consumers read everything again from the first record on; nothing comes of it."""
    async with scene.load():
        pass
    await scene.settled()
    before = await take_snapshot(scene.stack)
    for name, topics in _REPLAYED_BY.items():
        running = scene.stack.services(name)[0]
        await running.stop()
        ends = await _rewind(scene, name, topics)
        await running.start()
        await eventually(
            lambda group=name, wanted=ends: _caught_up(scene, group, wanted),
            seconds=CATCH_UP_SECONDS_MAX + scene.size.deliveries / 100,
            what=f"{name} to have read everything again",
        )
    after = await take_snapshot(scene.stack)
    # The sealer goes on with its work meanwhile; what it has sealed is judged with the rest of G.
    names = [each.name for each in fields(Snapshot) if each.name != "log"]
    changed = [name for name in names if _bag(before, name) != _bag(after, name)]
    assert not changed, f"a replay changed {changed}"


async def other_versions(scene: Scene) -> None:
    """F28: first a booking of tomorrow publishes, then one of yesterday; audit is of today."""
    api = await scene.booking("relay", "consumers", "api", points="outgoing-record:newer")
    async with scene.load(booking=api) as load:
        await load.reached(0.5)
        await scene.booking("relay", "consumers", points="outgoing-record:older")
    await scene.settled()
    new = b"added_later"
    published = await scene.stack.topic("bookings.events.v1").records()
    sent = {record.header("ce_id") for record in published if new in (record.value or b"")}
    kept = await scene.stack.database("audit").fetch(_KEPT, new)
    scene.notes |= {"with a field of tomorrow": len(sent), "in all": len(published)}
    assert sent, "no record of tomorrow was published"
    assert {row["event_id"] for row in kept} == sent, "unknown fields did not survive"


async def broken(scene: Scene) -> None:
    """F33: what no producer of ours writes stands between good records: set aside, all others pass."""
    rounds = 1 if scene.size == SHORT else 20
    async with scene.load() as load:
        for number in range(rounds):
            await load.reached((number + 1) / (rounds + 1))
            webhooks = scene.stack.topic("webhooks.stripe.v1")
            placed = await webhooks.publish_all(BROKEN)
            placed += await webhooks.publish_batch(RAW, partition=number % PARTITIONS_MIN)
            scene.planted |= {f"webhooks.stripe.v1/{r.partition}/{r.offset}" for r in placed}
            await scene.stack.topic("bookings.events.v1").publish_all(BROKEN)

    async def all_told() -> bool:
        told = "SELECT count(*) FROM event_log WHERE event_type = 'message.unreadable'"
        unreadable = rounds * (2 * len(BROKEN) + len(RAW))
        return await scene.stack.database("audit").fetchval(told) == unreadable

    await eventually(all_told, seconds=CATCH_UP_SECONDS_MAX, what="audit to tell of every broken record")
    scene.notes["broken records"] = len(scene.planted)


_ID = ("ce_id", b"evt_broken")
_SOURCE = ("ce_source", b"/webhooks/stripe")
_TYPE = ("ce_type", b"stripe.payment_intent.succeeded")


BROKEN = (
    Record(b"", None, ()),
    Record(None, b"null-value"),
    Record(b"{}", b"no-headers", ()),
    Record(b"{}", b"header-value", (("ce_id", b"\xff\xfe\x00"), _SOURCE, _TYPE)),
    Record(b"{}", b"empty-id", (("ce_id", b""), _SOURCE, _TYPE)),
    Record(b"{}", b"odd-sequence", (_ID, _SOURCE, _TYPE, ("ce_sequence", "²".encode()))),
    Record(b"\x00" * 64, b"\x00\xff", (("ce_id", b"evt\x00\xff"),)),
    Record(b"x" * BIG_BYTES, b"big", (("\u0000", b""),)),
)

RAW = (Record(b"{}", b"header-name", (_ID, _SOURCE, _TYPE, (RawName(b"n\xff"), b"1"))),)
"""Whose header names are no UTF-8, which no client library writes by itself."""

PARTITIONS_MIN = 4

_KEPT = """
SELECT event_id FROM event_log JOIN event_payload USING (entry_id)
WHERE topic = 'bookings.events.v1' AND position($1::bytea IN body) > 0
"""


def _bag(snapshot: Snapshot, field: str) -> object:
    value = getattr(snapshot, field)
    return Counter(value) if isinstance(value, tuple) else value


async def _rewind(scene: Scene, service: str, topics: tuple[str, ...]) -> dict[TopicPartition, int]:
    """Set a group that has no member to the first records; returns where the partitions end."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=scene.infra.kafka_bootstrap,
        group_id=f"{scene.stack.prefix}.{service}",
        enable_auto_commit=False,
    )
    await consumer.start()
    try:
        names = [scene.stack.topic(topic).name for topic in topics]
        await consumer._client.set_topics(names)
        places = [TopicPartition(n, p) for n in names for p in consumer.partitions_for_topic(n) or ()]
        consumer.assign(places)
        await consumer.commit(dict.fromkeys(places, 0))
        return {place: end for place, end in (await consumer.end_offsets(places)).items() if end}
    finally:
        await consumer.stop()


async def _caught_up(scene: Scene, service: str, ends: dict[TopicPartition, int]) -> bool:
    admin = AIOKafkaAdminClient(bootstrap_servers=scene.infra.kafka_bootstrap)
    await admin.start()
    try:
        committed = await admin.list_consumer_group_offsets(f"{scene.stack.prefix}.{service}")
    finally:
        await admin.close()
    return all(place in committed and committed[place].offset >= end for place, end in ends.items())
