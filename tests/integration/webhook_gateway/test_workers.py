"""Several workers on one port (GW-15): killed, reloaded, stopped and measured as one gateway."""

import asyncio
import os
import re
import signal
from collections.abc import AsyncGenerator, Collection
from pathlib import Path

import httpx
import pytest

from chassis import clock
from harness import Infra, Stack, eventually, start_services
from harness.ports import free_port
from harness.processes import Running

WORKERS = 2
SENDERS = 8


@pytest.fixture
async def own(infra: Infra) -> AsyncGenerator[Stack]:
    env = {"ENABLE_WEBHOOK_VALIDATION": "true"}
    async with start_services(infra, env=env) as stack:
        yield stack


async def start(stack: Stack) -> Running:
    return await stack.start("webhook-gateway", arguments=("--workers", str(WORKERS)))


def workers_of(gateway: Running) -> list[int]:
    children = Path(f"/proc/{gateway.pid}/task/{gateway.pid}/children").read_text()
    return [int(pid) for pid in children.split()]


def exists(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def get(gateway: Running, path: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False, timeout=20) as http:
        return await http.get(f"{gateway.url}{path}")


async def is_ready(gateway: Running) -> bool:
    try:
        return (await get(gateway, "/health/ready")).status_code == 200
    except httpx.TransportError:
        return False


async def verified(gateway: Running) -> float:
    text = (await get(gateway, "/metrics")).text
    name = r'webhook_gateway_requests_total\{outcome="verified",source="stripe"\}'
    (count,) = re.findall(rf"^{name} (\S+)$", text, re.MULTILINE)
    return float(count)


async def deliver(stack: Stack, gateway: Running, acknowledged: list[str]) -> None:
    body = {"id": f"evt_{clock.new_id()}", "type": "payment_intent.succeeded"}
    try:
        answer = await stack.deliver.stripe(body, gateway=gateway.url)
    except httpx.TransportError:
        return
    assert answer.status_code in {200, 503}
    acknowledged.extend([body["id"]] * (answer.status_code == 200))


async def stored_ids(stack: Stack) -> Collection[str]:
    records = await stack.topic("webhooks.stripe.v1").records()
    return {record.header("ce_id") or "" for record in records}


async def test_worker_killed_under_load_loses_nothing_acknowledged_and_is_replaced(own: Stack) -> None:
    gateway = await start(own)
    acknowledged, done, before = list[str](), asyncio.Event(), workers_of(gateway)
    assert len(before) == WORKERS

    async def send() -> None:
        while not done.is_set():
            await deliver(own, gateway, acknowledged)

    async with asyncio.TaskGroup() as senders:
        for _ in range(SENDERS):
            senders.create_task(send())
        await eventually(lambda: len(acknowledged) >= 50, seconds=30)
        os.kill(before[0], signal.SIGKILL)
        await eventually(lambda: len(set(workers_of(gateway)) - {before[0]}) == WORKERS, seconds=30)
        await eventually(lambda: is_ready(gateway), seconds=30, what="all workers are ready again")
        seen = len(acknowledged)
        await eventually(lambda: len(acknowledged) >= seen + 50, seconds=30)
        done.set()
    assert set(acknowledged) <= set(await stored_ids(own))
    # Every 200 is counted, those of the killed worker too; what it had in flight may be counted besides.
    assert len(acknowledged) <= await verified(gateway) <= len(acknowledged) + SENDERS
    assert set(re.findall(r'"worker": ?(\d)', gateway.log())) == {"1", "2"}


async def test_sighup_reaches_all_workers_and_sigterm_ends_all(own: Stack) -> None:
    gateway = await start(own)
    workers = workers_of(gateway)
    os.kill(gateway.pid, signal.SIGHUP)
    await eventually(lambda: gateway.log().count("configuration reloaded") == WORKERS)
    acknowledged: list[str] = []
    deliveries = [asyncio.create_task(deliver(own, gateway, acknowledged)) for _ in range(30)]
    await asyncio.wait(deliveries, return_when=asyncio.FIRST_COMPLETED)
    await gateway.stop()
    await asyncio.gather(*deliveries)
    assert set(acknowledged) <= set(await stored_ids(own))
    assert not any(map(exists, workers))


async def test_workers_end_with_their_supervisor(own: Stack) -> None:
    gateway = await start(own)
    workers = workers_of(gateway)
    os.kill(gateway.pid, signal.SIGKILL)
    await eventually(lambda: not any(map(exists, workers)), seconds=30)


async def test_workers_that_never_start_end_the_gateway_with_one(own: Stack) -> None:
    env = {
        "KAFKA_BOOTSTRAP": f"127.0.0.1:{free_port()}",
        "START_SECONDS_MAX": "3",
        "WEBHOOK_GATEWAY_PORT": str(free_port()),
    }
    finished = await own.run("webhook-gateway", "serve", "--workers", str(WORKERS), env=env)
    assert finished.exit_code == 1
    assert "no worker could start" in finished.stdout


async def test_readiness_tells_of_a_worker_that_is_missing(own: Stack) -> None:
    gateway = await start(own)
    assert (await get(gateway, "/health/ready")).json()["checks"]["workers"]["ok"]
    victim = workers_of(gateway)[0]
    os.kill(victim, signal.SIGSTOP)
    try:
        await eventually(lambda: _misses_a_worker(gateway), seconds=30)
    finally:
        os.kill(victim, signal.SIGCONT)


async def _misses_a_worker(gateway: Running) -> bool:
    try:
        answer = await get(gateway, "/health/ready")
    except httpx.TransportError:
        return False
    return answer.status_code == 503 and not answer.json()["checks"]["workers"]["ok"]
