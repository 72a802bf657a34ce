"""Replays are killed at any moment, two at a time, while messages arrive (ALL-1)."""

import asyncio
import signal
from collections.abc import Sequence
from itertools import count

from chassis.dead_letters.history import ReplayedBy
from chassis.dead_letters.replay import Replayer
from harness import eventually
from integration.chassis.consuming.test_failures import Trouble
from integration.chassis.dead_letters.test_dead_letters import ORDERING_KEY, announced, waiting
from integration.chassis.ground import SERVICE, Ground, Member, record

SET_ASIDE = 200
# Of the two replays of each round: after this many seconds, or around the end of this many transactions.
DEATHS = (
    (("at", 0.03), ("before-commit", 6)),
    (("after-commit", 8), ("before-commit", 11)),
    (("at", 0.08), ("after-commit", 13)),
)


async def test_killed_replays_lose_nothing_repeat_nothing_and_keep_the_order(ground: Ground) -> None:
    """Without an inbox, only status and effect in one transaction prevent a second application."""
    trouble = Trouble(ValueError("poison"), "sick:0")
    await ground.topic.publish_all([record(f"sick:{number}", key="sick") for number in range(SET_ASIDE)])
    async with Member(ground, before=trouble, through_inbox=False).running() as member:

        async def aside() -> bool:
            return len(await ground.set_aside()) == SET_ASIDE

        await eventually(aside, seconds=30)
        trouble.over = True
        flowing, published = asyncio.Event(), count(SET_ASIDE)
        flow = asyncio.create_task(_flow(ground, flowing, published))
        kills = sum([await _two_replays(ground, deaths) for deaths in DEATHS])
        flowing.set()
        await flow
        names = [f"sick:{number}" for number in range(next(published))]

        async def all_applied() -> bool:
            outcome = await Replayer(member.database, SERVICE, member.apply).replay(
                ORDERING_KEY, ReplayedBy("ada")
            )
            return not outcome.failures and len(await ground.effects()) >= len(names)

        await eventually(all_applied, seconds=60)
    assert kills == 2 * len(DEATHS), "a replay ended before it was killed: set more aside"
    assert await ground.effects() == names
    assert await waiting(ground) == []
    rows = await ground.set_aside()
    assert {row["status"] for row in rows} == {"replayed"}
    assert sorted(await announced(ground)) == sorted(
        ["dead-letter.set-aside", "dead-letter.replayed"] * len(rows)
    )


async def _flow(ground: Ground, stopping: asyncio.Event, numbers: "count[int]") -> None:
    while not stopping.is_set():
        await ground.topic.publish_all([record(f"sick:{next(numbers)}", key="sick")])


async def _two_replays(ground: Ground, deaths: Sequence[tuple[str, float]]) -> int:
    """Run two replays at once and return how many were killed."""
    both = [
        ground.start_process("dead_letters/replay_process.py", "sick", kind, str(number))
        for kind, number in deaths
    ]
    codes = await asyncio.gather(*(asyncio.to_thread(process.wait, 60) for process in both))
    assert set(codes) <= {0, -signal.SIGKILL}, codes
    return codes.count(-signal.SIGKILL)
