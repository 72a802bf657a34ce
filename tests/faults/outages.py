"""Servers that are away: F7, F13."""

import asyncio

import httpx

from faults.bodies import booking_request
from faults.history import Outcome
from faults.plan import API, SHORT
from faults.scene import Scene, stretched
from harness import down, eventually

RECONNECT_SECONDS_MAX = 30.0
KAFKA_AWAY_SECONDS = 120.0
KAFKA_AWAY_SHORT_SECONDS = 6.0


async def postgres_killed(scene: Scene) -> None:
    """F7: the gateway goes on without it, the others answer 503 and come back by themselves."""
    async with scene.load() as load:
        await load.reached(0.4)
        async with down(scene.infra.postgres, how="kill"):
            await _answers_unavailable(scene)
        await eventually(
            scene.stack.ready, seconds=stretched(RECONNECT_SECONDS_MAX), what="all services ready again"
        )


async def kafka_down(scene: Scene) -> None:
    """F13: nobody is told 2xx for what no broker has; the backlog drains."""
    async with scene.load() as load:
        await load.reached(0.4)
        async with down(scene.infra.kafka, how="kill"):
            gone = load.elapsed
            await asyncio.sleep(KAFKA_AWAY_SHORT_SECONDS if scene.size == SHORT else KAFKA_AWAY_SECONDS)
            back = load.elapsed
    lies = [
        line
        for line in load.history.lines
        if line.op not in API and line.outcome is Outcome.OK and gone < line.began and line.t < back
    ]
    refused = [line for line in load.history.lines if gone < line.began < back and line.status == 503]
    scene.notes |= {"seconds without Kafka": round(back - gone, 1), "answered 503": len(refused)}
    assert not lies, f"2xx without a broker: {lies[:3]}"
    assert refused, "nothing was sent while Kafka was down: the load was over too early"


async def _answers_unavailable(scene: Scene) -> None:
    async with httpx.AsyncClient(trust_env=False, timeout=20.0) as http:
        refused = await http.post(f"{scene.stack.url('booking')}/api/bookings", json=booking_request(-1))
    assert refused.status_code == 503, refused.text
    assert "retry-after" in refused.headers
    assert not await scene.stack.ready("booking")
