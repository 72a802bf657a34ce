"""What befalls a consumer group: F16, F23."""

import asyncio

import httpx
from aiokafka import AIOKafkaConsumer

from chassis import clock
from faults.load import Load
from faults.plan import SHORT
from faults.scene import Scene, stretched
from faults.waits import p99, waits
from harness import Stack, eventually

REBALANCES = 100
REBALANCES_SHORT = 10
STALL_SECONDS_MAX = 3.0
STOPPED_SECONDS_MAX = 5.0
DOWN_SECONDS = 30.0
DOWN_SHORT_SECONDS = 5.0
RESUMED_SECONDS_MAX = 120.0

GONE = "payment"
"""Every payment needs it. Other events pass, and must not be taken for a proof that payments could."""

_MEMBER_SECONDS_MAX = 60.0


async def rebalanced(scene: Scene) -> None:
    """F16: a member comes and goes again and again, and every time the others begin anew."""
    api = await scene.booking("api", "relay")
    for _ in range(2):
        await scene.booking("consumers")
    rebalances = REBALANCES_SHORT if scene.size == SHORT else REBALANCES
    began = clock.now()
    async with scene.load(booking=api) as load:
        for number in range(rebalances // 2):
            await load.reached(number / rebalances)
            await _come_and_go(scene)
    await scene.settled()
    stall = p99(list((await waits(scene, began)).values()))
    scene.notes |= {"rebalances": rebalances // 2 * 2, "until applied, p99 seconds": round(stall, 2)}
    assert stall <= stretched(STALL_SECONDS_MAX), f"1 % of the messages waited longer than {stall:.1f} s"


async def everything_fails(scene: Scene) -> None:
    """F23: what every payment needs is gone. Consuming stops, sets nothing aside, and goes on by itself."""
    async with scene.load() as load:
        await load.reached(0.3)
        database = scene.stack.database("booking")
        await database.execute(f"ALTER TABLE {GONE} RENAME TO {GONE}_away")
        gone = load.elapsed
        try:
            await eventually(
                lambda: _is_stopped(scene.stack), seconds=stretched(STOPPED_SECONDS_MAX), what="the breaker"
            )
            scene.notes["stopped after, seconds"] = round(load.elapsed - gone, 1)
            await _keeps_still(scene, load)
        finally:
            await database.execute(f"ALTER TABLE {GONE}_away RENAME TO {GONE}")
        await eventually(scene.stack.ready, seconds=RESUMED_SECONDS_MAX, what="consuming to go on by itself")


async def _keeps_still(scene: Scene, load: Load) -> None:
    """For a while nothing is set aside, however much comes in."""
    until = load.elapsed + (DOWN_SHORT_SECONDS if scene.size == SHORT else DOWN_SECONDS)
    database = scene.stack.database("booking")
    while load.elapsed < until:
        rows = await database.fetch("SELECT reason, error FROM dead_letter WHERE reason <> 'malformed'")
        assert not rows, f"set aside while everything fails: {rows[:3]}"
        await asyncio.sleep(0.5)


async def _is_stopped(stack: Stack) -> bool:
    async with httpx.AsyncClient(timeout=5.0, trust_env=False) as http:
        return "breaker" in (await http.get(stack.services("booking")[0].ready_url)).text


async def _come_and_go(scene: Scene) -> None:
    """Join the group for a topic of one's own, so that no partition of booking's is taken: two rebalances."""
    member = AIOKafkaConsumer(
        scene.stack.topic("dead-letters.v1").name,
        bootstrap_servers=scene.infra.kafka_bootstrap,
        group_id=f"{scene.stack.prefix}.booking",
        enable_auto_commit=False,
    )
    async with asyncio.timeout(_MEMBER_SECONDS_MAX):
        await member.start()
        await member.stop()
