"""How long deliveries waited for their effect: from the 200 to the row in booking's inbox."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from faults.history import Outcome
from faults.plan import API, Op
from faults.scene import Scene

_ARRIVED = "SELECT event_id, received_at FROM inbox"


@dataclass(frozen=True, slots=True)
class Wait:
    """One delivery that was acknowledged and applied.

    Attributes:
        key: what its records are ordered by.
        told: when it was first answered 200, in seconds since the load began.
        seconds: from then to the beginning of the transaction that applied it.
    """

    key: str
    told: float
    seconds: float


async def waits(scene: Scene, began: datetime) -> dict[str, Wait]:
    """By event id, for everything applied; `began` is when the load did."""
    rows = await scene.stack.database("booking").fetch(_ARRIVED)
    arrived = {row["event_id"]: row["received_at"] for row in rows}
    found: dict[str, Wait] = {}
    for line in scene.history.lines:  # in order of `t`: the first 200 of an event counts
        if line.op in API or line.op is Op.POISON or line.outcome is not Outcome.OK:
            continue
        if line.id in arrived and line.id not in found:
            seconds = (arrived[line.id] - (began + timedelta(seconds=line.t))).total_seconds()
            found[line.id] = Wait(line.key, line.t, max(0.0, seconds))
    return found


def p99(some: list[Wait]) -> float:
    """Seconds; 0 of nothing."""
    seconds = sorted(wait.seconds for wait in some)
    return seconds[-(-len(seconds) * 99 // 100) - 1] if seconds else 0.0  # nearest rank
