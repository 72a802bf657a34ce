"""Messages that this version cannot apply: F22."""

from datetime import datetime

from chassis import clock
from faults.history import Outcome
from faults.plan import CAPTURES, SHORT, Op, make_plan
from faults.scene import Scene
from faults.waits import p99, waits
from harness import Stack, eventually

KEYS = 10
KEYS_SHORT = 3
FLOW_SECONDS_MAX = 60.0


async def ten_keys(scene: Scene) -> None:
    """F22: a bug strikes one message of ten keys; the ten wait in order, the others flow, a mended version
    takes the ten up where they stopped."""
    struck = _first_payments(scene)
    api = await scene.booking("api", "relay")
    sick = await scene.booking("consumers", points=f"payment-read:bug={'+'.join(struck)}")
    began = clock.now()
    async with scene.load(booking=api):
        pass
    waiting = await eventually(
        lambda: _others_have_flowed(scene), seconds=FLOW_SECONDS_MAX + scene.size.deliveries / 40
    )
    scene.notes |= {"keys struck": len(struck), "messages that waited": waiting}
    scene.notes |= await _flow_of_others(scene, began, struck)
    assert not await scene.stack.database("booking").fetch(_OUT_OF_LINE), "a key's messages wait out of order"
    await sick.stop()
    await scene.booking("consumers")
    replayed = await scene.stack.run("booking", "dead-letters", "replay", "--all", "--json")
    # 1, because the planted poison fails again, as it must.
    assert replayed.exit_code == 1, replayed.stdout + replayed.stderr
    assert not await _waiting_bugs(scene.stack), "not all were released after the fix"


def _first_payments(scene: Scene) -> list[str]:
    """Event ids of the first payments of some bookings, from the middle of the run on."""
    first: dict[int, str] = {}
    for operation in make_plan(scene.seed, scene.size):
        if operation.op is Op.PAID and operation.booking is not None:
            first.setdefault(operation.booking, operation.id)
    middle = len(first) // 2
    return list(first.values())[middle : middle + (KEYS_SHORT if scene.size == SHORT else KEYS)]


async def _flow_of_others(scene: Scene, began: datetime, struck: list[str]) -> dict[str, object]:
    """How long the other keys' messages waited, in equal times before the first failure and after it."""
    keys = {line.key for line in scene.history.lines if line.id in struck}
    moment = min(line.t for line in scene.history.lines if line.id in struck)
    others = [wait for wait in (await waits(scene, began)).values() if wait.key not in keys]
    before = p99([wait for wait in others if moment / 2 <= wait.told < moment])
    after = p99([wait for wait in others if moment <= wait.told < moment * 3 / 2])
    return {
        "others' p99 before, ms": round(before * 1000),
        "others' p99 with poison, ms": round(after * 1000),
        "ratio": round(after / before, 2) if before else None,
    }


async def _others_have_flowed(scene: Scene) -> int:
    """How many wait behind the bug, once every capture is either a payment or waits."""
    captures = scene.history.ids(CAPTURES, Outcome.OK)
    database = scene.stack.database("booking")
    paid = {row["event_id"] for row in await database.fetch("SELECT event_id FROM payment")}
    waiting = await _waiting_bugs(scene.stack)
    missing = captures - paid - waiting
    assert not missing, f"{len(missing)} captures neither applied nor waiting"
    return len(waiting)


async def _waiting_bugs(stack: Stack) -> set[str]:
    """Event ids of what waits for the fix: struck by the bug, or behind such a message."""
    rows = await stack.database("booking").fetch(_WAITING)
    return {row["event_id"] for row in rows}


_WAITING = """
SELECT convert_from(value, 'UTF8')::jsonb ->> 'id' AS event_id
FROM dead_letter WHERE status = 'waiting' AND reason <> 'malformed'
"""

# Within a line the order of rows is the order of offsets, and only its first row failed by itself.
_OUT_OF_LINE = """
SELECT * FROM (
    SELECT reason, record_offset,
        lag(record_offset) OVER line AS offset_before, row_number() OVER line AS place
    FROM dead_letter WHERE status = 'waiting'
    WINDOW line AS (PARTITION BY consumer, topic, key ORDER BY id)
) AS waiting
WHERE record_offset < offset_before OR (reason = 'behind_another') <> (place > 1)
"""
