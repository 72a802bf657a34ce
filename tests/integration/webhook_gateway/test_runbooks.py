"""The gateway's two runbooks, followed to the letter on a running system."""

import base64
import json
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from chassis import clock
from harness import Finished, Infra, Stack, eventually, start_services
from integration.audit.following import Operator
from plumbline.doctor.target import SERVICE_URLS
from webhook_gateway.domain.verification.keys import read_secret
from webhook_gateway.domain.verification.scheme import KeyForm

OLD = "whsec_the-old-secret-of-thirty-two-bytes"
NEW = "whsec_the-new-secret-of-thirty-two-bytes"
QUO = "whsec_" + base64.b64encode(b"the key of Quo, in thirty-two by").decode()
REFUSALS = 4


class Company:
    """A system whose Stripe secret stands in a file, and the provider that signs."""

    def __init__(self, stack: Stack, infra: Infra, folder: Path) -> None:
        self.stack = stack
        self._infra = infra
        self._folder = folder

    def operator(self, runbook: str) -> Operator:
        words = {
            "OLD": OLD,
            "NEW": NEW,
            "SECRET_FILE": str(self._folder / "stripe"),
            "SECRET": NEW,
            "BASE64_SECRET": QUO,
            "GATEWAY": self.stack.url("webhook-gateway"),
        }
        return Operator(runbook, self.stack, self._infra, self._folder, words)

    async def deliver(self, secret: str) -> int:
        return (await self.stack.deliver.stripe(event(), secret=secret)).status_code


def event() -> dict[str, object]:
    return {"id": f"evt_{clock.new_id()}", "type": "charge.updated", "data": {"object": {"id": "ch_1"}}}


@pytest.fixture
async def company(infra: Infra, tmp_path: Path) -> AsyncGenerator[Company]:
    (tmp_path / "stripe").write_text(OLD, encoding="utf-8")
    (tmp_path / "EVENT.json").write_text(json.dumps(event()), encoding="utf-8")
    env = {
        "ENABLE_WEBHOOK_VALIDATION": "true",
        "STRIPE_WEBHOOK_SECRET": "",
        "STRIPE_WEBHOOK_SECRET_FILE": str(tmp_path / "stripe"),
        "QUO_WEBHOOK_SECRET": QUO,
    }
    async with start_services(infra, *SERVICE_URLS, env=env) as stack:
        yield Company(stack, infra, tmp_path)


# Slow: the page's commands start a process each.
async def test_a_provider_whose_secret_was_rolled_is_found_by_the_runbook(company: Company) -> None:
    operator = company.operator("verification-failures.md")
    assert [await company.deliver(NEW) for _ in range(REFUSALS)] == [401] * REFUSALS

    async def on_record() -> Finished:
        doctor, export, suppressed = await operator.follow("1. See who is refused, and why")
        assert (suppressed.exit_code, suppressed.stdout) == (0, "")
        assert len(export.stdout.splitlines()) == REFUSALS
        assert all(json.loads(line)["error"] == "signature_mismatch" for line in export.stdout.splitlines())
        return doctor

    doctor = await eventually(on_record, seconds=30, what="the refusals are in the EventLog")
    assert doctor.exit_code == 1
    assert f"deliveries of stripe: {REFUSALS} of {REFUSALS} were refused, most as signature_mismatch" in (
        doctor.stdout
    )
    sources, new, quo = await operator.follow("2. Compare the secrets")
    assert sources.exit_code == 0
    assert read_secret(OLD, KeyForm.TEXT).fingerprint in sources.stdout
    assert new.stdout.strip() == read_secret(NEW, KeyForm.TEXT).fingerprint
    assert new.stdout.strip() not in sources.stdout
    assert quo.stdout.strip() in sources.stdout
    signed, delivered = await operator.follow("3. Send a delivery yourself")
    assert (signed.exit_code, signed.stderr) == (0, "")
    assert (delivered.exit_code, delivered.stdout) == (0, '{"received": true}')


async def test_a_rotation_by_the_runbook_refuses_nothing(company: Company) -> None:
    operator = company.operator("secret-rotation.md")
    written = await operator.follow("1. Add the new secret here, before anybody signs with it")
    assert [each.exit_code for each in written] == [0, 0]

    async def loaded() -> bool:
        doctor, sources = await operator.follow("2. See it loaded")
        assert "secrets of stripe: 2 active" in doctor.stdout
        assert (doctor.exit_code, sources.exit_code) == (0, 0)
        assert "until 2099-01-01" in sources.stdout
        return True

    await eventually(loaded, seconds=30, what="both secrets count")
    assert (await company.deliver(OLD), await company.deliver(NEW)) == (200, 200)
    *taken, doctor = await operator.follow("4. Take the old secret away")
    assert [each.exit_code for each in (*taken, doctor)] == [0, 0, 0]

    async def gone() -> bool:
        return await company.deliver(OLD) == 401

    await eventually(gone, what="the old secret is refused")
    assert await company.deliver(NEW) == 200
