"""GW-3: 200 if and only if the broker has the record."""

import asyncio
from collections.abc import AsyncGenerator

import httpx
import pytest

from chassis import clock
from harness import Infra, Stack, down, eventually, start_services


@pytest.fixture(scope="module")
async def own(infra: Infra) -> AsyncGenerator[Stack]:
    env = {"ENABLE_WEBHOOK_VALIDATION": "true", "GATEWAY_ACK_SECONDS_MAX": "2"}
    async with start_services(infra, "webhook-gateway", env=env) as stack:
        yield stack


def event() -> dict[str, str]:
    return {"id": f"evt_{clock.new_id()}", "type": "payment_intent.succeeded"}


async def _stored_ids(stack: Stack) -> list[str]:
    records = await stack.topic("webhooks.stripe.v1").records()
    return [record.header("ce_id") or "" for record in records]


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_kafka_away_answers_503_then_200_and_nothing_acknowledged_is_lost(
    own: Stack, infra: Infra, how: str
) -> None:
    before, away, after = event(), event(), event()
    assert (await own.deliver.stripe(before)).status_code == 200
    async with down(infra.kafka, how=how):
        answers = await asyncio.gather(*(own.deliver.stripe(away) for _ in range(5)))
        assert {answer.status_code for answer in answers} == {503}
        assert {answer.json()["reason"] for answer in answers} == {"broker_unavailable"}
        assert all(int(answer.headers["retry-after"]) > 0 for answer in answers)
        refused = await own.deliver.stripe(event(), secret="whsec_" + "0" * 32)
        assert refused.status_code == 401  # a forger's answer does not wait for the broker
        await eventually(lambda: _not_ready(own))
    await eventually(lambda: own.ready("webhook-gateway"), seconds=60)
    assert (await own.deliver.stripe(away)).status_code == 200
    assert (await own.deliver.stripe(after)).status_code == 200
    assert {before["id"], away["id"], after["id"]} <= set(await _stored_ids(own))
    # The refusal waited for the broker instead of being forgotten.
    await own.topic("webhooks.rejected.v1").read_until(lambda records: len(records) >= 1, seconds=30)


async def _not_ready(stack: Stack) -> bool:
    async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
        answer = await client.get(stack.url("webhook-gateway") + "/health/ready")
    return answer.status_code == 503 and not answer.json()["checks"]["kafka producer"]["ok"]


async def test_gateway_started_without_kafka_answers_503_until_it_is_there(own: Stack, infra: Infra) -> None:
    async with down(infra.kafka):
        late = await own.start("webhook-gateway", ready=False)
        await eventually(lambda: _is_live(late.url), seconds=20)
        answer = await own.deliver.stripe(event(), gateway=late.url)
        assert (answer.status_code, answer.json()["reason"]) == (503, "broker_unavailable")
    await eventually(lambda: own.ready("webhook-gateway"), seconds=60)
    assert (await own.deliver.stripe(event(), gateway=late.url)).status_code == 200


async def _is_live(url: str) -> bool:
    async with httpx.AsyncClient(trust_env=False) as client:
        try:
            return (await client.get(f"{url}/health/live")).status_code == 200
        except httpx.TransportError:
            return False


async def test_gateway_killed_again_and_again_under_load_loses_nothing_it_acknowledged(own: Stack) -> None:
    gateway = await own.start("webhook-gateway")
    acknowledged: list[str] = []
    done = asyncio.Event()

    async def send() -> None:
        while not done.is_set():
            body = event()
            try:
                answer = await own.deliver.stripe(body, gateway=gateway.url)
            except httpx.TransportError:
                continue
            assert answer.status_code in {200, 503}
            acknowledged.extend([body["id"]] * (answer.status_code == 200))

    senders = [asyncio.create_task(send()) for _ in range(8)]
    for expected in (50, 100, 150):
        await eventually(lambda wanted=expected: len(acknowledged) >= wanted, seconds=30)
        await gateway.kill()
        await gateway.start(seconds_max=20)
    done.set()
    await asyncio.gather(*senders)
    stored = await _stored_ids(own)
    assert set(acknowledged) <= set(stored)
    assert len(acknowledged) == len(set(acknowledged))


async def test_graceful_stop_finishes_what_it_has_begun(own: Stack) -> None:
    gateway = await own.start("webhook-gateway")
    bodies = [event() for _ in range(30)]
    deliveries = [asyncio.create_task(own.deliver.stripe(body, gateway=gateway.url)) for body in bodies]
    await asyncio.wait(deliveries, return_when=asyncio.FIRST_COMPLETED)
    await gateway.stop()
    answers = await asyncio.gather(*deliveries, return_exceptions=True)
    stored = set(await _stored_ids(own))
    for body, answer in zip(bodies, answers, strict=True):
        if isinstance(answer, httpx.Response):
            assert (answer.status_code == 200) == (body["id"] in stored)
        else:
            assert body["id"] not in stored
            assert isinstance(answer, httpx.ConnectError | httpx.ReadError | httpx.RemoteProtocolError)
