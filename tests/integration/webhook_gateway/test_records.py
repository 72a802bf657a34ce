"""GW-9 to GW-13: what stands on the topics, byte for byte."""

import hmac
import json
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from chassis import clock
from harness import Infra, Record, Stack, start_services

TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture(scope="module")
async def own(infra: Infra) -> AsyncGenerator[Stack]:
    async with start_services(infra, "webhook-gateway", env={"ENABLE_WEBHOOK_VALIDATION": "true"}) as stack:
        yield stack


async def stored(stack: Stack, topic: str, body: bytes) -> Record:
    (record,) = [record for record in await stack.topic(topic).records() if record.value == body]
    return record


async def test_stripe_event_becomes_a_cloudevent_keyed_by_its_booking(own: Stack) -> None:
    event_id, booking_id = f"evt_{clock.new_id()}", clock.new_id()
    body = json.dumps(
        {
            "id": event_id,
            "type": "payment_intent.succeeded",
            "created": 1_700_000_000,
            "data": {"object": {"id": "pi_1", "metadata": {"booking_id": booking_id}}},
        },
        indent=3,
    ).encode()
    answer = await own.deliver.stripe(body, headers={"traceparent": TRACEPARENT})
    assert answer.status_code == 200
    record = await stored(own, "webhooks.stripe.v1", body)
    assert record.key == booking_id.encode()
    assert {name: record.header(name) for name, _ in record.headers} == {
        "ce_specversion": "1.0",
        "ce_id": event_id,
        "ce_source": "/webhooks/stripe",
        "ce_type": "stripe.payment_intent.succeeded",
        "ce_time": "2023-11-14T22:13:20.000000Z",
        "ce_subject": booking_id,
        "ce_correlationid": event_id,
        "content-type": "application/json",
        "traceparent": TRACEPARENT,
        "plumbline-verification": "verified",
    }


@pytest.mark.parametrize(("kind", "wrapper"), [("sms_legacy", "object"), ("quo", "resource")])
async def test_both_openphone_generations_become_the_same_event(own: Stack, kind: str, wrapper: str) -> None:
    unique = clock.new_id()
    message = {"id": f"AC{unique}", "body": "half an emoji \ud83d and \x00"}
    body = json.dumps(
        {
            "id": f"EV{unique}",
            "type": "message.received",
            "createdAt": "2026-11-23T12:00:00.5Z",
            "data": {wrapper: message},
        }
    ).encode()
    assert (await getattr(own.deliver, kind)(body)).status_code == 200
    record = await stored(own, "webhooks.sms.v1", body)
    assert record.key == f"AC{unique}".encode()
    assert record.header("ce_id") == f"EV{unique}"
    assert record.header("ce_type") == "sms.message.received"
    assert record.header("ce_time") == "2026-11-23T12:00:00.500000Z"
    assert record.header("traceparent") != TRACEPARENT


async def test_sms_without_an_id_gets_the_same_derived_one_for_the_same_signed_delivery(own: Stack) -> None:
    body = json.dumps({"type": "message.received", "unique": clock.new_id()}).encode()
    at = datetime.now(UTC)  # noqa: TID251 - one moment, signed twice
    for _ in range(2):
        assert (await own.deliver.sms_legacy(body, at=at)).status_code == 200
    records = [r for r in await own.topic("webhooks.sms.v1").records() if r.value == body]
    assert len(records) == 2
    assert len({record.header("ce_id") for record in records}) == 1
    assert (records[0].header("ce_id") or "").startswith("derived-")


async def test_unknown_event_type_and_duplicate_names_are_stored_as_they_came(own: Stack) -> None:
    event_id = f"evt_{clock.new_id()}"
    body = f'{{"id": "first", "type": "no.such.type", "id": "{event_id}", "n": 1e999}}\n'.encode()
    assert (await own.deliver.stripe(body)).status_code == 200
    record = await stored(own, "webhooks.stripe.v1", body)
    assert record.header("ce_id") == event_id
    assert record.header("ce_type") == "stripe.no.such.type"


async def test_largest_body_is_stored_whole_and_one_byte_more_is_413(own: Stack) -> None:
    head = f'{{"id": "evt_{clock.new_id()}"'.encode()
    largest = head + b" " * (512 * 1024 - len(head) - 1) + b"}"
    assert (await own.deliver.stripe(largest)).status_code == 200
    assert (await own.deliver.stripe(largest + b" ")).status_code == 413
    await stored(own, "webhooks.stripe.v1", largest)


async def test_flood_of_forgeries_leaves_a_bounded_record_and_a_summary(infra: Infra) -> None:
    env = {"ENABLE_WEBHOOK_VALIDATION": "true", "GATEWAY_REFUSALS_PER_MINUTE_MAX": "10"}
    async with start_services(infra, "webhook-gateway", env=env) as stack:
        for _ in range(25):
            answer = await stack.deliver.stripe({"id": "evt_1"}, secret="whsec_" + "0" * 32)
            assert answer.status_code == 401
        await stack.services("webhook-gateway")[0].stop()  # which ends the window
        records = await stack.topic("webhooks.rejected.v1").records()
    types = [record.header("ce_type") for record in records]
    assert types.count("webhook.validation.failed") == 10
    (summary,) = [
        json.loads(r.value) for r, t in zip(records, types, strict=True) if t == "webhook.refusals-suppressed"
    ]
    assert (summary["source"], summary["suppressed"]) == ("stripe", 15)
    assert summary["by_reason"] == {"signature_mismatch": 15}


async def test_headers_that_the_command_line_signs_make_a_delivery(
    own: Stack, tmp_path: Path, http: object
) -> None:
    import httpx

    assert isinstance(http, httpx.AsyncClient)
    file = tmp_path / "body.json"
    file.write_bytes(json.dumps({"id": f"evt_{clock.new_id()}"}).encode())
    for source, scheme in (("stripe", "stripe"), ("sms", "openphone-legacy"), ("sms", "standard-webhooks")):
        signed = await own.run(
            "webhook-gateway", "sign", "--source", source, "--scheme", scheme, "--body", str(file), "--json"
        )
        assert signed.exit_code == 0, signed.stderr
        url = f"{own.url('webhook-gateway')}/webhooks/{source}"
        answer = await http.post(url, content=file.read_bytes(), headers=json.loads(signed.stdout))
        assert answer.status_code == 200


async def test_command_line_signs_with_a_secret_that_counts(own: Stack, tmp_path: Path) -> None:
    (tmp_path / "body.json").write_bytes(b"{}")
    secret = own.secrets["stripe"]
    ended = f"{secret}-of-old;until=2026-01-01T00:00:00Z"
    sign = ("webhook-gateway", "sign", "--source", "stripe", "--body", str(tmp_path / "body.json"), "--json")
    signed = await own.run(*sign, env={"STRIPE_WEBHOOK_SECRET": f"{ended},{secret}"})
    timestamp = json.loads(signed.stdout)["stripe-signature"].split(",")[0].removeprefix("t=")
    expected = hmac.digest(secret.encode(), f"{timestamp}.{{}}".encode(), "sha256").hex()
    assert json.loads(signed.stdout)["stripe-signature"] == f"t={timestamp},v1={expected}"
    refused = await own.run(*sign, env={"STRIPE_WEBHOOK_SECRET": ended})
    assert (refused.exit_code, "only secrets that have ended" in refused.stderr) == (2, True)
    shown = await own.run("webhook-gateway", "sources", env={"STRIPE_WEBHOOK_SECRET": ended})
    assert "ended 2026-01-01" in shown.stdout


async def test_sources_are_shown_without_their_secrets(own: Stack) -> None:
    for arguments in (("sources",), ("sources", "--json")):
        shown = await own.run("webhook-gateway", *arguments)
        assert shown.exit_code == 0, shown.stderr
        assert "openphone-legacy" in shown.stdout
        assert not any(secret.removeprefix("whsec_") in shown.stdout for secret in own.secrets.values())


@pytest.mark.parametrize(
    ("arguments", "env", "message"),
    [
        (("serve",), {"STRIPE_WEBHOOK_SECRET": "short"}, "STRIPE_WEBHOOK_SECRET"),
        (("serve",), {"QUO_WEBHOOK_SECRET": ""}, "QUO_WEBHOOK_SECRET"),
        (
            ("serve",),
            {"ENVIRONMENT": "production", "ENABLE_WEBHOOK_VALIDATION": "1"},
            "ENABLE_WEBHOOK_VALIDATION",
        ),
        (("sign", "--source", "nobody", "--body", "x"), {}, "nobody"),
        (("sign", "--source", "sms", "--body", "/does/not/exist"), {}, "/does/not/exist"),
    ],
)
async def test_what_cannot_be_done_is_one_line_and_exit_code_2(
    own: Stack, arguments: tuple[str, ...], env: dict[str, str], message: str
) -> None:
    finished = await own.run("webhook-gateway", *arguments, env=env)
    assert finished.exit_code == 2
    assert message in finished.stderr
    assert finished.stderr.count("\n") == 1
