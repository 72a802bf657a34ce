"""Secrets and sources that change while the gateway runs (GW-6): no restart, and no delivery lost by it."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from chassis import clock
from chassis.kafka.connection import KafkaConnection
from chassis.kafka.topics import apply_topics
from harness import Infra, Stack, eventually, start_services
from harness.ports import free_port
from plumbline import deployment

OLD = "whsec_the-old-secret-of-thirty-two-bytes"
NEW = "whsec_the-new-secret-of-thirty-two-bytes"
SENDERS = 4
ACME = '[[sources.acme.accept]]\nscheme = "github"\nsecret_variable = "ACME_WEBHOOK_SECRET"\n'


class Rotated:
    """A gateway whose secrets and sources stand in files."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.stack = stack
        self.folder = folder

    def write(self, name: str, text: str) -> None:
        """As a deployment does it: whole, by renaming."""
        (written := self.folder / f"{name}.next").write_text(text, encoding="utf-8")
        written.replace(self.folder / name)

    async def deliver(self, secret: str) -> int:
        event = {"id": f"evt_{clock.new_id()}", "type": "charge.updated", "data": {"object": {"id": "ch_1"}}}
        return (await self.stack.deliver.stripe(event, secret=secret)).status_code

    async def detail(self) -> str:
        async with httpx.AsyncClient(trust_env=False, timeout=30.0) as http:
            answer = await http.get(f"{self.stack.url('webhook-gateway')}/health/ready")
        assert answer.status_code == 200, answer.text
        return answer.json()["checks"]["reloading"]["detail"]

    async def metric(self, name: str) -> float:
        async with httpx.AsyncClient(trust_env=False, timeout=30.0) as http:
            answer = await http.get(f"{self.stack.url('webhook-gateway')}/metrics")
        (line,) = [each for each in answer.text.splitlines() if each.startswith(f"webhook_gateway_{name} ")]
        return float(line.split()[1])

    def log(self) -> str:
        return self.stack.services("webhook-gateway")[0].log()


@pytest.fixture
async def rotated(infra: Infra, tmp_path: Path) -> AsyncGenerator[Rotated]:
    env = {
        "ENABLE_WEBHOOK_VALIDATION": "true",
        "STRIPE_WEBHOOK_SECRET": "",
        "STRIPE_WEBHOOK_SECRET_FILE": str(tmp_path / "stripe"),
        "ACME_WEBHOOK_SECRET_FILE": str(tmp_path / "acme"),
        "WEBHOOK_SOURCES_FILE": str(tmp_path / "sources.toml"),
    }
    for name, text in (("stripe", OLD), ("acme", OLD), ("sources.toml", "[sources]\n")):
        (tmp_path / name).write_text(text, encoding="utf-8")
    async with start_services(infra, "webhook-gateway", env=env) as stack:
        yield Rotated(stack, tmp_path)


async def test_rotation_under_load_refuses_no_valid_delivery(rotated: Rotated) -> None:
    valid, answers, done = [OLD], list[int](), asyncio.Event()

    async def send() -> None:
        while not done.is_set():
            answers.append(await rotated.deliver(valid[0]))

    async with asyncio.TaskGroup() as senders:
        for _ in range(SENDERS):
            senders.create_task(send())
        until = clock.now() + timedelta(seconds=12)
        rotated.write("stripe", f"{OLD};until={until.isoformat()},{NEW}")
        await eventually(lambda: _accepted(rotated, NEW), what="the new secret is taken")
        valid[0] = NEW
        await eventually(lambda: _refused(rotated, OLD), seconds=30, what="the old secret has ended")
        assert clock.now() >= until
        rotated.write("stripe", NEW)
        before = len(answers)
        await eventually(lambda: rotated.log().count("configuration reloaded") == 2)
        await eventually(lambda: len(answers) > before + 50)
        done.set()
    assert set(answers) == {200}
    assert OLD not in rotated.log()
    assert NEW not in rotated.log()


async def _accepted(rotated: Rotated, secret: str) -> bool:
    return await rotated.deliver(secret) == 200


async def _refused(rotated: Rotated, secret: str) -> bool:
    return await rotated.deliver(secret) == 401


async def test_what_cannot_be_used_is_refused_whole_and_told(rotated: Rotated) -> None:
    rotated.write("stripe", "too-short")
    told = await eventually(rotated.detail, what="readiness tells of the refusal")
    assert told == (
        "kept what was loaded before: STRIPE_WEBHOOK_SECRET holds a key of 9 bytes; at least 24 are needed"
    )
    assert await rotated.metric("reload_ok") == 0
    assert await rotated.deliver(OLD) == 200
    rotated.write("stripe", NEW)
    await eventually(lambda: _accepted(rotated, NEW), what="the corrected secret is taken")
    assert (await rotated.detail(), await rotated.metric("reload_ok")) == ("", 1)
    assert await rotated.deliver(OLD) == 401


async def test_a_new_source_waits_for_its_topic_and_then_is_there(rotated: Rotated, infra: Infra) -> None:
    rotated.write("sources.toml", ACME)
    told = await eventually(rotated.detail, what="readiness tells of the missing topic")
    prefix = rotated.stack.environment()["TOPIC_PREFIX"]
    assert told.endswith(f"missing {prefix}webhooks.acme.v1: run `plumbline topics apply`")
    assert await rotated.deliver(OLD) == 200
    kafka = KafkaConnection(infra.kafka_bootstrap, prefix, {})
    await apply_topics(kafka, deployment.topics(rotated.stack.environment()))
    rotated.write("sources.toml", ACME + "# its topic is there\n")
    url = f"{rotated.stack.url('webhook-gateway')}/webhooks/acme"

    async def status() -> int:
        async with httpx.AsyncClient(trust_env=False, timeout=30.0) as http:
            return (await http.post(url, content=b"{}")).status_code

    async def known() -> bool:
        return await status() == 401  # unsigned, and no more a source that nobody knows

    await eventually(known, seconds=20, what="the source is known")
    assert await rotated.detail() == ""
    rotated.write("sources.toml", "[sources]\n")

    async def unknown() -> bool:
        return await status() == 404

    await eventually(unknown, seconds=20, what="the source is gone")


async def test_sighup_loads_at_once_and_says_so(rotated: Rotated) -> None:
    (gateway,) = rotated.stack.services("webhook-gateway")
    os.kill(gateway.pid, signal.SIGHUP)
    await eventually(lambda: "configuration reloaded" in rotated.log())
    assert await rotated.deliver(OLD) == 200


async def test_sighup_is_heard_while_the_broker_is_waited_for(rotated: Rotated) -> None:
    waiting = await rotated.stack.start(
        "webhook-gateway", {"KAFKA_BOOTSTRAP": f"127.0.0.1:{free_port()}"}, ready=False
    )
    await eventually(lambda: "component did not start" in waiting.log())
    os.kill(waiting.pid, signal.SIGHUP)
    await eventually(lambda: "configuration reloaded" in waiting.log())
    assert waiting.running
