"""At least once from Kafka, one effect: offsets are committed after COMMIT, the inbox drops copies."""

import asyncio
import signal
from collections import defaultdict

import pytest

from chassis.messaging.message import Message
from contracts.metadata import read_metadata
from harness import eventually
from integration.chassis.ground import Ground, Member, record

# Kafka removes a killed member after chassis.consuming.subscription.SESSION_MILLISECONDS_MAX.
TAKEN_OVER_SECONDS_MAX = 40.0


async def test_batches_are_applied_once_in_order_per_key_and_committed_to_the_end(ground: Ground) -> None:
    sent = [record(f"k{number % 7}:{number}", key=f"k{number % 7}") for number in range(1_500)]
    await ground.topic.publish_all(sent)
    async with Member(ground).running() as member:

        async def all_applied() -> bool:
            return len(await ground.effects()) >= len(sent)

        await eventually(all_applied, seconds=30)
        ends = await ground.ends()

        async def all_committed() -> bool:
            return await ground.committed() == ends

        await eventually(all_committed)
    assert len(member.batches) < 100, "one transaction for many messages"
    by_key = defaultdict(list)
    for event_id in await ground.effects():
        by_key[event_id.split(":")[0]].append(int(event_id.split(":")[1]))
    assert {key: sorted(numbers) for key, numbers in by_key.items()} == by_key
    assert sum(len(numbers) for numbers in by_key.values()) == len(sent)


async def test_offset_is_not_committed_before_the_transaction(ground: Ground) -> None:
    held, release = asyncio.Event(), asyncio.Event()

    async def wait(_message: Message) -> None:
        held.set()
        await release.wait()

    await ground.topic.publish_all([record("e1")])
    async with Member(ground, before=wait).running():
        async with asyncio.timeout(20):
            await held.wait()
        assert await ground.committed() == {}
        release.set()
        ends = await ground.ends()

        async def committed() -> bool:
            return await ground.committed() == ends

        await eventually(committed)
    assert await ground.effects() == ["e1"]


@pytest.mark.parametrize("moment", ["before-commit", "after-commit"])
async def test_process_killed_around_its_commit_loses_nothing_and_doubles_nothing(
    ground: Ground, moment: str
) -> None:
    ids = [f"e{number}" for number in range(20)]
    await ground.topic.publish_all([record(event_id) for event_id in ids])
    process = ground.start_process("consuming/member_process.py", moment)
    try:
        assert await asyncio.to_thread(process.wait, 60) == -signal.SIGKILL
    finally:
        process.kill()
        process.wait()
    assert await ground.committed() == {}
    assert (len(await ground.effects()) > 0) == (moment == "after-commit")
    async with Member(ground, "heir").running():
        ends = await ground.ends()

        async def committed() -> bool:
            return await ground.committed() == ends

        await eventually(committed, seconds=TAKEN_OVER_SECONDS_MAX)
    assert await ground.effects() == ids


async def test_event_that_comes_again_is_applied_once(ground: Ground) -> None:
    await ground.topic.publish_all([record(event_id) for event_id in ("e1", "e1", "e2", "e1")])
    async with Member(ground).running():

        async def committed(count: int) -> bool:
            return sum((await ground.committed()).values()) == count

        await eventually(lambda: committed(4))
        await ground.topic.publish_all([record(event_id) for event_id in ("e2", "e3", "e1")])
        await eventually(lambda: committed(7))
    assert await ground.effects() == ["e1", "e2", "e3"]


async def test_unreadable_headers_stop_nothing(ground: Ground) -> None:
    good = read_metadata(record("e1").headers).to_headers()
    await ground.topic.publish(b"{}", key=b"k1", headers=[("weird", b"\xff\xfe"), *good])
    await ground.topic.publish(b"{}", key=b"k2", headers=[("ce_id", b"\xff"), *good[2:]])
    await ground.topic.publish(b"{}", key=b"k3")
    await ground.topic.publish(None, key=b"k4", headers=record("e2").headers)
    async with Member(ground).running():

        async def all_handled() -> bool:
            return len(await ground.effects()) + len(await ground.set_aside()) == 4

        await eventually(all_handled, seconds=20)
    assert sorted(await ground.effects()) == ["e1", "e2"]
    rows = await ground.set_aside()
    assert sorted((row["key"], row["reason"], row["attempts"]) for row in rows) == [
        (b"k2", "malformed", 2),
        (b"k3", "malformed", 2),
    ]
