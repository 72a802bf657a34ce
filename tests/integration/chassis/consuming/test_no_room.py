"""Without room for dead letters no message passes and none is lost (ALL-1, design rule 6)."""

from itertools import count

from chassis.dead_letters import DeadLetters
from chassis.dead_letters.history import ReplayedBy
from chassis.dead_letters.replay import Replayer
from harness import eventually
from integration.chassis.consuming.test_failures import Trouble
from integration.chassis.ground import SERVICE, TOPIC, Ground, Member, record


async def _assert_halts_and_continues(
    ground: Ground, ids: list[str], poison: list[str], letters: DeadLetters
) -> None:
    """Assert that a message without room stops its partition, and that a replay lets all be applied.

    An id is `<key>:<number>`. There is room for one message. Messages in another partition are applied: they
    prove that the poison is to blame.
    """
    trouble, wells = Trouble(ValueError("poison"), *poison), count()
    await ground.topic.publish_batch([record(each, key=each.partition(":")[0]) for each in ids], partition=0)
    async with Member(ground, before=trouble, letters=letters).running() as member:

        async def halted() -> bool:
            await ground.topic.publish_batch([record(f"well:{next(wells)}", key="well")], partition=1)
            return "no room" in (await member.consumer.check()).detail

        await eventually(halted, seconds=60)
        assert len(await ground.set_aside()) == 1

        async def first_passed() -> bool:
            return (await ground.committed()).get(0) == 1

        await eventually(first_passed)
        trouble.over = True

        async def all_applied() -> bool:
            for line in {(TOPIC, each.partition(":")[0].encode()) for each in ids}:
                await Replayer(member.database, SERVICE, member.apply).replay(line, ReplayedBy("ada"))
            return set(ids) <= set(await ground.effects())

        await eventually(all_applied, seconds=60)


async def test_message_without_room_behind_its_key_does_not_pass(ground: Ground) -> None:
    ids = [f"sick:{number}" for number in range(3)]
    await _assert_halts_and_continues(ground, ids, ids[:1], DeadLetters(SERVICE, rows_per_key_max=1))
    assert [each for each in await ground.effects() if each in ids] == ids


async def test_message_without_room_for_another_key_does_not_pass(ground: Ground) -> None:
    ids = ["a:0", "b:0"]
    await _assert_halts_and_continues(ground, ids, ids, DeadLetters(SERVICE, keys_max=1))
