"""Messages that this version cannot apply: F22."""

from faults.history import Outcome
from faults.plan import CAPTURES, SHORT, Op, make_plan
from faults.scene import Scene
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
    async with scene.load(booking=api):
        pass
    waiting = await eventually(
        lambda: _others_have_flowed(scene), seconds=FLOW_SECONDS_MAX + scene.size.deliveries / 40
    )
    scene.notes |= {"keys struck": len(struck), "messages that waited": waiting}
    assert not await scene.stack.database("booking").fetch(_OUT_OF_LINE), "a key's messages wait out of order"
    await sick.stop()
    await scene.booking("consumers")
    replayed = await scene.stack.run("booking", "dead-letters", "replay", "--all", "--json")
    # 1, because the planted poison fails again, as it must.
    assert replayed.exit_code == 1, replayed.stdout + replayed.stderr
    assert not await _waiting_bugs(scene.stack), "not all were released after the fix"


def _first_payments(scene: Scene) -> list[str]:
    """Event ids of the first payment of the first bookings."""
    first: dict[int, str] = {}
    for operation in make_plan(scene.seed, scene.size):
        if operation.op is Op.PAID and operation.booking is not None:
            first.setdefault(operation.booking, operation.id)
    return list(first.values())[: KEYS_SHORT if scene.size == SHORT else KEYS]


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
