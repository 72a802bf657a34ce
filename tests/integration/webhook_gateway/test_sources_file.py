"""Sources of a file, from the door to the EventLog: each provider's own form of delivery (GW-1, GW-4)."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest

from chassis import clock
from chassis.kafka.connection import KafkaConnection
from chassis.kafka.topics import apply_topics
from harness import Infra, Stack, eventually, start_services
from plumbline import deployment

SECRET = "a secret of more than twenty-four bytes"
PUBLIC_URL = "https://hooks.example.com/webhooks/texts"
FILE = f"""
[[sources.github.accept]]
scheme = "github"
secret_variable = "FURTHER_SECRET"

[sources.chat]
answer = "empty"
[[sources.chat.accept]]
scheme = "slack"
secret_variable = "FURTHER_SECRET"

[sources.texts]
answer = "twiml"
[[sources.texts.accept]]
scheme = "twilio"
secret_variable = "FURTHER_SECRET"
public_url = "{PUBLIC_URL}"
"""


@pytest.fixture(scope="module")
def sources_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sources") / "sources.toml"
    path.write_text(FILE, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
async def further(infra: Infra, sources_file: Path) -> AsyncGenerator[Stack]:
    env = {
        "WEBHOOK_SOURCES_FILE": str(sources_file),
        "FURTHER_SECRET": SECRET,
        "ENABLE_WEBHOOK_VALIDATION": "true",
    }
    async with start_services(infra, env=env) as stack:
        prefix = stack.environment()["TOPIC_PREFIX"]
        kafka = KafkaConnection(infra.kafka_bootstrap, prefix, {})
        made = await apply_topics(kafka, deployment.topics(env))
        assert sorted(made) == [f"{prefix}webhooks.{name}.v1" for name in ("chat", "github", "texts")]
        await stack.start("audit")
        await stack.start("webhook-gateway")
        yield stack


async def deliver(stack: Stack, path: str, body: bytes, headers: dict[str, str]) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False, timeout=30.0) as http:
        return await http.post(stack.url("webhook-gateway") + path, content=body, headers=headers)


async def recorded(stack: Stack, event_id: str) -> dict[str, object]:
    async def entry() -> dict[str, object]:
        async with httpx.AsyncClient(trust_env=False, timeout=30.0) as http:
            answer = await http.get(f"{stack.url('audit')}/api/event-log", params={"event_id": event_id})
        items = answer.json()["items"]
        assert len(items) == 1
        return items[0]

    return await eventually(entry, what="the EventLog entry")


def mac(signed: bytes, digest: str = "sha256") -> bytes:
    return hmac.digest(SECRET.encode(), signed, digest)


async def test_github_delivery_is_known_by_its_header_and_recorded(further: Stack) -> None:
    delivery_id = clock.new_id()
    body = b'{"action":"opened","repository":{"id":7}}'
    headers = {
        "x-hub-signature-256": f"sha256={mac(body).hex()}",
        "x-github-delivery": delivery_id,
        "x-github-event": "issues",
        "content-type": "application/json",
    }
    assert (await deliver(further, "/webhooks/github", body, headers)).json() == {"received": True}
    entry = await recorded(further, delivery_id)
    assert (entry["event_type"], entry["source"]) == ("github.issues", "github")
    forged = await deliver(further, "/webhooks/github", body + b" ", headers)
    assert (forged.status_code, forged.json()["reason"]) == (401, "signature_mismatch")


async def test_github_form_is_keyed_by_the_repository_in_its_payload(further: Stack) -> None:
    delivery_id = clock.new_id()
    body = urlencode({"payload": '{"zen":"a & b","repository":{"id":4711}}'}).encode()
    headers = {
        "x-hub-signature-256": f"sha256={mac(body).hex()}",
        "x-github-delivery": delivery_id,
        "x-github-event": "ping",
        "content-type": "application/x-www-form-urlencoded",
    }
    answer = await deliver(further, "/webhooks/github", body, headers)
    assert answer.status_code == 200, answer.text
    records = await further.topic("webhooks.github.v1").records()
    (record,) = [each for each in records if each.key == b"4711"]
    assert record.value == body
    assert record.header("content-type") == "application/x-www-form-urlencoded"
    entry = await recorded(further, delivery_id)
    assert entry["event_type"] == "github.ping"


async def test_slack_gets_its_challenge_back_once_it_is_stored(further: Stack) -> None:
    body = json.dumps({"type": "url_verification", "challenge": "3eZbrw1a", "token": "x"}).encode()
    timestamp = str(int(time.time()))  # noqa: TID251 - the sender's clock
    signature = mac(b"v0:" + timestamp.encode() + b":" + body).hex()
    headers = {"x-slack-signature": f"v0={signature}", "x-slack-request-timestamp": timestamp}
    answer = await deliver(further, "/webhooks/chat", body, headers)
    assert (answer.status_code, answer.json()) == (200, {"challenge": "3eZbrw1a"})
    assert body in [r.value for r in await further.topic("webhooks.chat.v1").records()]
    late = {**headers, "x-slack-request-timestamp": str(int(timestamp) - 301)}
    assert (await deliver(further, "/webhooks/chat", body, late)).status_code == 401


async def test_slack_interaction_is_answered_with_nothing_and_known_by_its_payload(further: Stack) -> None:
    trigger = f"13.{clock.new_id()}"
    body = urlencode({"payload": json.dumps({"type": "view_submission", "trigger_id": trigger})}).encode()
    timestamp = str(int(time.time()))  # noqa: TID251 - the sender's clock
    signature = mac(b"v0:" + timestamp.encode() + b":" + body).hex()
    headers = {
        "x-slack-signature": f"v0={signature}",
        "x-slack-request-timestamp": timestamp,
        "content-type": "application/x-www-form-urlencoded",
    }
    answer = await deliver(further, "/webhooks/chat", body, headers)
    assert (answer.status_code, answer.content) == (200, b"")
    assert (await recorded(further, trigger))["event_type"] == "chat.view_submission"


async def test_twilio_form_is_stored_as_it_came_and_recorded(further: Stack) -> None:
    sid = f"SM{clock.new_id()}"
    fields = {
        "MessageSid": sid,
        "Body": "half an \u00e9moji & more",
        "From": "+14155550100",
        "SmsStatus": "received",
    }
    body = urlencode(fields).encode()
    signed = f"{PUBLIC_URL}?a=1" + "".join(name + value for name, value in sorted(fields.items()))
    token = hashlib.sha256(body).hexdigest()
    headers = {
        "x-twilio-signature": base64.b64encode(mac(signed.encode(), "sha1")).decode(),
        "i-twilio-idempotency-token": token,
        "content-type": "application/x-www-form-urlencoded",
    }
    answer = await deliver(further, "/webhooks/texts?a=1", body, headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/xml"
    assert answer.content.endswith(b"<Response/>")
    (record,) = await further.topic("webhooks.texts.v1").records()
    assert (record.value, record.key) == (body, sid.encode())
    assert record.header("content-type") == "application/x-www-form-urlencoded"
    entry = await recorded(further, token)
    assert entry["event_type"] == "texts.received"
    forged = await deliver(further, "/webhooks/texts?a=2", body, headers)
    assert forged.status_code == 401
