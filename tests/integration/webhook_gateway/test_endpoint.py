"""What real senders and proxies write, from the door to the record; and what strangers see of the gateway."""

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncGenerator
from datetime import UTC, datetime

import httpx
import pytest

from chassis import clock
from chassis.kafka.connection import KafkaConnection
from chassis.kafka.topics import apply_topics
from harness import Infra, Stack, start_services
from harness.ports import free_port
from integration.booking.booking_calls import BookingApi
from plumbline import deployment

SECRET = "0123456789abcdef0123456789abcdef"
FILE = """
[[sources.shop.accept]]
scheme = "shopify"
secret_variable = "FURTHER_SECRET"

[[sources.texts.accept]]
scheme = "twilio"
secret_variable = "FURTHER_SECRET"
public_url = "https://hooks.example.com/webhooks/texts"
"""


@pytest.fixture(scope="module")
async def own(infra: Infra, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stack]:
    path = tmp_path_factory.mktemp("sources") / "sources.toml"
    path.write_text(FILE, encoding="utf-8")
    env = {
        "WEBHOOK_SOURCES_FILE": str(path),
        "FURTHER_SECRET": SECRET,
        "ENABLE_WEBHOOK_VALIDATION": "true",
        "WEBHOOK_GATEWAY_INTERNAL_PORT": str(free_port()),
    }
    async with start_services(infra, "booking", env=env) as stack:
        kafka = KafkaConnection(infra.kafka_bootstrap, stack.environment()["TOPIC_PREFIX"], {})
        await apply_topics(kafka, deployment.topics(env))
        await stack.start("webhook-gateway")
        yield stack


async def post(
    stack: Stack, http: httpx.AsyncClient, path: str, body: bytes, headers: list[tuple[str, str]]
) -> httpx.Response:
    return await http.post(stack.url("webhook-gateway") + path, content=body, headers=headers)


async def test_payment_with_spaces_in_its_header_and_a_byte_order_mark_pays_the_booking(
    own: Stack, http: httpx.AsyncClient
) -> None:
    api = BookingApi(own, http)
    booking = await api.create()
    intent = {
        "id": f"pi_{clock.new_id()}",
        "object": "payment_intent",
        "amount_received": booking["total"]["amount"],
        "currency": "usd",
        "metadata": {"booking_id": booking["id"]},
    }
    event = {"id": f"evt_{clock.new_id()}", "type": "payment_intent.succeeded", "data": {"object": intent}}
    body = b"\xef\xbb\xbf" + json.dumps(event).encode()
    at = int(datetime.now(UTC).timestamp())  # noqa: TID251 - the gateway compares with the real clock
    mac = hmac.digest(own.secrets["stripe"].encode(), b"%d." % at + body, "sha256").hex()
    answer = await post(own, http, "/webhooks/stripe", body, [("stripe-signature", f"t={at} , v1={mac}")])
    assert answer.status_code == 200, answer.text
    (record,) = await own.topic("webhooks.stripe.v1").read_until(lambda records: len(records) == 1)
    assert record.value == body
    assert (await api.when_paid(booking["id"]))["status"] == "confirmed"


async def test_two_topics_of_one_checkout_are_two_events(own: Stack, http: httpx.AsyncClient) -> None:
    body = b'{"id": 7}'
    mac = base64.b64encode(hmac.digest(SECRET.encode(), body, "sha256")).decode()
    for topic in ("orders/create", "orders/paid", "orders/paid"):
        headers = [("x-shopify-topic", topic), ("x-shopify-event-id", "e-1"), ("x-shopify-hmac-sha256", mac)]
        assert (await post(own, http, "/webhooks/shop", body, headers)).status_code == 200
    records = await own.topic("webhooks.shop.v1").read_until(lambda records: len(records) == 3)
    assert sorted(record.header("ce_id") or "" for record in records) == [
        "orders/create:e-1",
        "orders/paid:e-1",
        "orders/paid:e-1",
    ]


async def test_query_that_is_signed_bare_and_sent_escaped_verifies(
    own: Stack, http: httpx.AsyncClient
) -> None:
    signed = b"https://hooks.example.com/webhooks/texts?caller=sip:1@example.com" + b"BodyHi"
    mac = base64.b64encode(hmac.new(SECRET.encode(), signed, hashlib.sha1).digest()).decode()
    headers = [("x-twilio-signature", mac), ("content-type", "application/x-www-form-urlencoded")]
    path = "/webhooks/texts?caller=sip%3A1%40example.com"
    assert (await post(own, http, path, b"Body=Hi", headers)).status_code == 200


async def test_strangers_see_webhooks_and_health_without_details(own: Stack, http: httpx.AsyncClient) -> None:
    public = own.url("webhook-gateway")
    internal = f"http://127.0.0.1:{own.environment()['WEBHOOK_GATEWAY_INTERNAL_PORT']}"
    for path in ("/metrics", "/schema", "/schema/openapi.json"):
        assert (await http.get(public + path)).status_code == 404
        assert (await http.get(internal + path)).status_code == 200
    assert (await http.get(f"{public}/health/ready")).json() == {"status": "ready"}
    assert "kafka producer" in (await http.get(f"{internal}/health/ready")).json()["checks"]
    assert (await http.get(f"{public}/health/live")).status_code == 200
