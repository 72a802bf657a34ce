"""Processes that die: F1, F2, F3, F5."""

import time

from faults.load import Load
from faults.plan import SHORT
from faults.scene import Scene, fault_points, stretched
from harness import eventually

READY_AGAIN_SECONDS_MAX = 5.0
STEP_SECONDS_MAX = 120.0
TIMES = 20
TIMES_SHORT = 2
SEALER_STEPS = (
    *("leaves", "tiles", "head", "committed"),
    *("unfinished", "recorded", "kept", "sent", "opened"),
)


async def gateway(scene: Scene) -> None:
    """F1: killed again and again under load, and ready again within 5 s."""
    victim = scene.stack.services("webhook-gateway")[0]
    slowest, kills = 0.0, _times(scene)
    async with scene.load() as load:
        for number in range(kills):
            await load.reached((number + 1) / (kills + 2))
            await victim.kill()
            began = time.monotonic()
            await victim.start()
            slowest = max(slowest, time.monotonic() - began)
    scene.notes |= {"kills": kills, "slowest start, seconds": round(slowest, 1)}
    assert slowest <= stretched(READY_AGAIN_SECONDS_MAX), f"ready again only after {slowest:.1f} s"


async def consumer_before_offset_commit(scene: Scene) -> None:
    """F2: a batch's effects are in the database, Kafka does not know it, and the process is gone."""
    api = await scene.booking("api", "relay")
    async with scene.load(booking=api) as load:
        await _die_and_be_succeeded(scene, load, "consumers", "before-offset-commit:kill")


async def relay_before_mark(scene: Scene) -> None:
    """F3: the broker has a batch, its rows are still in the outbox, and the process is gone."""
    api = await scene.booking("api", "consumers")
    async with scene.load(booking=api) as load:
        await _die_and_be_succeeded(scene, load, "relay", "before-outbox-mark:kill")
    records = await scene.stack.topic("bookings.events.v1").records()
    copies = len(records) - len({record.header("ce_id") for record in records})
    scene.notes["copies on the topic"] = copies
    assert copies, "no row was published twice: the fault did not strike where it should"


async def sealer(scene: Scene) -> None:
    """F5: each process dies at another step of sealing or of publishing, all through the load."""
    steps = SEALER_STEPS[:: len(SEALER_STEPS) // TIMES_SHORT] if scene.size == SHORT else SEALER_STEPS
    environment = {"AUDIT_CHECKPOINT_SECONDS": "0.5"}
    async with scene.load() as load:
        for life, step in enumerate(steps):
            await load.reached(life / (len(steps) + 1))
            points = fault_points(f"sealer-{step}:kill", f"{scene.seed}/{life}")
            mortal = await scene.stack.start("audit", env={**environment, **points}, ready=False)
            await eventually(lambda died=mortal: not died.running, seconds=STEP_SECONDS_MAX, what=step)
        await scene.stack.start("audit", env=environment)
    scene.notes["deaths"] = ", ".join(steps)


async def _die_and_be_succeeded(scene: Scene, load: Load, duty: str, points: str) -> None:
    """Let one process after the other die at a fault point, all through the load; a sound one follows."""
    deaths = _times(scene)
    for life in range(deaths):
        await load.reached(life / (deaths + 1))
        mortal = await scene.booking(duty, points=points, life=life, ready=False)
        await eventually(lambda died=mortal: not died.running, seconds=STEP_SECONDS_MAX, what="a death")
    await scene.booking(duty)
    scene.notes["deaths"] = deaths


def _times(scene: Scene) -> int:
    return TIMES_SHORT if scene.size == SHORT else TIMES
