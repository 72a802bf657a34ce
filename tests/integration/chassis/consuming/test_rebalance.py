"""Members join and leave: batches in flight are finished, no message is applied twice (foundations §3)."""

import asyncio
from collections import Counter

import asyncpg
import pytest

from chassis.messaging.message import Message
from harness import Infra, down, eventually
from integration.chassis.ground import Ground, Member, record

# aiokafka detects a rebalance by heartbeat.
REBALANCED_SECONDS_MAX = 30.0
MORE_THAN_A_BATCH = 700
# Without a pause thousands of messages come, and each is applied and compared.
BETWEEN_PUBLICATIONS_SECONDS = 0.1


class Hold:
    """Holds the first message until `release` is set."""

    def __init__(self) -> None:
        self.held, self.release = asyncio.Event(), asyncio.Event()

    async def __call__(self, _message: Message) -> None:
        self.held.set()
        await self.release.wait()


async def test_partition_is_revoked_only_after_the_batch_in_flight_is_committed(ground: Ground) -> None:
    """Without the inbox, a message given to two members would be applied twice.

    There is more than one batch: no step may be taken that was decided before the partition was revoked.
    """
    hold = Hold()
    sent = [record(f"k{number}", key=f"k{number}") for number in range(MORE_THAN_A_BATCH)]
    await ground.topic.publish_all(sent)
    async with Member(ground, "first", before=hold, through_inbox=False).running():
        async with asyncio.timeout(20):
            await hold.held.wait()
        second = Member(ground, "second", through_inbox=False)
        joining = asyncio.create_task(second.start())
        try:
            # The rebalance waits for the first member. The second has no partition before that.
            done, _ = await asyncio.wait([joining], timeout=5)
            assert not done
            assert await ground.effects() == []
            hold.release.set()
            await asyncio.wait_for(joining, REBALANCED_SECONDS_MAX)
            ends = await ground.ends()

            async def committed() -> bool:
                return await ground.committed() == ends

            await eventually(committed, seconds=REBALANCED_SECONDS_MAX)
        finally:
            hold.release.set()
            await asyncio.wait([joining])
            await second.stop()
    assert Counter(await ground.effects()) == Counter(f"k{number}" for number in range(MORE_THAN_A_BATCH))


async def test_members_joining_and_leaving_under_load_lose_nothing_and_double_nothing(ground: Ground) -> None:
    sent: list[str] = []
    enough = asyncio.Event()

    async def publish() -> None:
        while not enough.is_set():
            numbers = range(len(sent), len(sent) + 100)
            ids = [f"k{number % 50}:{number}" for number in numbers]
            await ground.topic.publish_all([record(e, key=e.split(":")[0]) for e in ids])
            sent.extend(ids)
            await asyncio.sleep(BETWEEN_PUBLICATIONS_SECONDS)

    async with Member(ground, "first").running():
        publishing = asyncio.create_task(publish())
        for name in ("second", "third"):
            async with Member(ground, name).running() as member:
                await eventually(lambda member=member: member.batches, seconds=REBALANCED_SECONDS_MAX)
        enough.set()
        await publishing
        ends = await ground.ends()

        async def committed() -> bool:
            return await ground.committed() == ends

        await eventually(committed, seconds=REBALANCED_SECONDS_MAX)
    applied = await ground.effects()
    assert Counter(applied) == Counter(sent)
    for key in range(50):
        numbers = [int(e.split(":")[1]) for e in applied if e.startswith(f"k{key}:")]
        assert numbers == sorted(numbers)
    assert await ground.set_aside() == []


async def test_batch_that_keeps_failing_is_given_back_to_the_next_member(ground: Ground) -> None:
    async def fail(_message: Message) -> None:
        raise asyncpg.SerializationError("could not serialize access")

    await ground.topic.publish_all([record(f"k{number}", key=f"k{number}") for number in range(40)])
    async with Member(ground, "sick", before=fail).running() as sick:

        async def failing() -> bool:
            return not (await sick.consumer.check()).ok

        await eventually(failing, seconds=20)
        async with Member(ground, "well").running() as well:
            await eventually(lambda: well.batches, seconds=REBALANCED_SECONDS_MAX)
            await sick.consumers.stop()

            async def applied() -> bool:
                return len(await ground.effects()) == 40

            await eventually(applied, seconds=REBALANCED_SECONDS_MAX)
    assert len(set(await ground.effects())) == 40
    assert await ground.set_aside() == []


async def test_member_that_failed_is_good_again_once_its_partitions_are_revoked(ground: Ground) -> None:
    trouble_over = asyncio.Event()

    async def fail(_message: Message) -> None:
        if not trouble_over.is_set():
            raise asyncpg.SerializationError("could not serialize access")

    member = Member(ground, "sick", before=fail)
    await ground.topic.publish_all([record("e1")])
    async with member.running():

        async def failing() -> bool:
            return not (await member.consumer.check()).ok

        await eventually(failing, seconds=20)
        # Whichever member has the partition after the rebalance: the first member no longer fails.
        async with Member(ground, "other").running(), Member(ground, "third").running():

            async def somebody_applied() -> bool:
                trouble_over.set()
                return await ground.effects() == ["e1"] and (await member.consumer.check()).ok

            await eventually(somebody_applied, seconds=REBALANCED_SECONDS_MAX)


async def test_stop_finishes_and_commits_the_batch_in_flight(ground: Ground) -> None:
    hold = Hold()
    await ground.topic.publish_all([record(f"e{number}") for number in range(5)])
    member = Member(ground, before=hold)
    await member.start()
    async with asyncio.timeout(20):
        await hold.held.wait()
    stopping = asyncio.create_task(member.stop())
    done, _ = await asyncio.wait([stopping], timeout=0.2)
    assert not done
    hold.release.set()
    async with asyncio.timeout(20):
        await stopping
    assert await ground.effects() == [f"e{number}" for number in range(5)]
    assert await ground.committed() == await ground.ends()


async def test_kafka_away_at_start_is_an_error_and_the_next_try_succeeds(
    ground: Ground, infra: Infra
) -> None:
    member = Member(ground)
    await member.database.start()
    async with down(infra.kafka):
        with pytest.raises(Exception, match=r"bootstrap|[Cc]onnect|127\.0\.0\.1|localhost"):
            await member.consumers.start()
    await member.consumers.start()
    try:
        await ground.topic.publish_all([record("e1")])

        async def applied() -> bool:
            return await ground.effects() == ["e1"]

        await eventually(applied, seconds=REBALANCED_SECONDS_MAX)
    finally:
        await member.stop()


async def test_kafka_killed_while_consuming_loses_nothing_and_doubles_nothing(
    ground: Ground, infra: Infra
) -> None:
    ids = [f"e{number}" for number in range(60)]
    async with Member(ground).running():
        await ground.topic.publish_all([record(event_id) for event_id in ids[:30]])

        async def applied(count: int) -> bool:
            return len(await ground.effects()) >= count

        await eventually(lambda: applied(30), seconds=20)
        async with down(infra.kafka, how="kill"):
            pass
        await ground.topic.publish_all([record(event_id) for event_id in ids[30:]])
        await eventually(lambda: applied(60), seconds=60)
    assert await ground.effects() == ids
