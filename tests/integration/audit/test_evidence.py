"""Evidence of a booking over HTTP and by the command line (AU-9): a file that anybody can check."""

import json
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import pytest

from audit.domain.log.evidence import Evidence, read_evidence
from audit.domain.log.evidence_checks import check_evidence
from audit.domain.log.keys import parse_verifier_key
from chassis import clock
from harness import Infra, Stack, eventually, start_services
from harness.browser import start_chromium
from integration.audit.audit_records import AuditApi, changed, created, webhook
from integration.audit.witness_processes import witness

STRIPE = "webhooks.stripe.v1"
BOOKINGS = "bookings.events.v1"


@pytest.fixture(scope="module")
async def audit_stack(infra: Infra, http: httpx.AsyncClient) -> AsyncGenerator[Stack]:
    async with start_services(infra, "audit") as stack:
        yield stack


@pytest.fixture
def audit(audit_stack: Stack, http: httpx.AsyncClient) -> AuditApi:
    return AuditApi(audit_stack, http)


async def recorded_booking(audit: AuditApi) -> str:
    booking_id = clock.new_id()
    await audit.recorded(
        BOOKINGS,
        created(booking_id),
        changed(booking_id, 2, "pending", "confirmed"),
        changed(booking_id, 3, "confirmed", "completed", reason="Ann asked for it"),
    )
    await audit.recorded(STRIPE, webhook(b'{"text": "call Ann"}', subject=booking_id))
    return booking_id


async def sealed(audit: AuditApi, booking_id: str, entries: int) -> bytes:
    """Return a file in which so many entries are proved, and none waits."""

    async def complete() -> bytes | None:
        response = await audit.get(f"/api/bookings/{booking_id}/evidence")
        assert response.status_code == 200, response.text
        evidence = read_evidence(response.content)
        return response.content if len(evidence.entries) >= entries and not evidence.waiting else None

    return await eventually(complete, seconds=20, what="a file with all entries")


async def results(audit: AuditApi, evidence: Evidence) -> dict[str, str]:
    keys = (await audit.get("/log/keys")).json()["keys"]
    checks = check_evidence(evidence, [parse_verifier_key(key["key"]) for key in keys])
    assert "ED25519 and MLDSA44" in next(check.text for check in checks if check.id == "signature")
    return {check.id: check.result for check in checks}


async def test_file_over_http_is_proved_and_its_making_is_in_the_log(audit: AuditApi) -> None:
    booking_id = await recorded_booking(audit)
    content = await sealed(audit, booking_id.upper(), 4)
    evidence = read_evidence(content)
    said = await results(audit, evidence)
    assert said == {
        "file": "pass", "signature": "pass", "witnesses": "note", "entries": "pass", "booking": "pass",
        "history": "pass", "steps": "pass", "messages": "pass", "contents": "note",
    }  # fmt: skip
    assert b"Ann" not in content
    in_file = {json.loads(each.sealed)["entry_id"] for each in evidence.entries}

    async def own_entry() -> Any:
        # The file does not hold the entry about itself.
        made = await audit.entries(booking_id=booking_id, event_type="audit.evidence-exported")
        return [item["metadata"] for item in made if item["entry_id"] not in in_file]

    (metadata,) = await eventually(own_entry, what="an entry about the file")
    assert (metadata["through"], metadata["payloads"]) == ("http", False)
    assert metadata["entries"] == len(evidence.entries)


async def test_file_of_the_running_service_opens_in_a_browser_by_double_click(
    audit: AuditApi, tmp_path: Path
) -> None:
    file = tmp_path / "evidence.html"
    file.write_bytes(await sealed(audit, await recorded_booking(audit), 4))
    async with start_chromium() as chromium:
        page = await (await chromium.new_context(offline=True)).new_page()
        await page.goto(file.as_uri())
        await page.get_by_role("heading", name="The evidence holds").wait_for()
        assert "pending → confirmed → completed" in await page.inner_text("[data-check=steps]")


async def test_file_has_the_checkpoint_that_the_quorum_of_witnesses_cosigned(
    audit: AuditApi, audit_stack: Stack, http: httpx.AsyncClient, tmp_path: Path
) -> None:
    booking_id = await recorded_booking(audit)
    log_keys = [parse_verifier_key(key["key"]) for key in (await audit.get("/log/keys")).json()["keys"]]
    policy = tmp_path / "witnesses.policy"
    async with witness(audit_stack, tmp_path, "witness.example", log_keys) as other:
        policy.write_text(f"witness w {other.keys[0]} {other.url}\nquorum w\n")
        witnessed = {"AUDIT_WITNESS_POLICY_FILE": str(policy), "AUDIT_WITNESS_SECONDS": "0.2"}
        replica = await audit_stack.start("audit", env=witnessed)

        async def cosigned() -> Evidence | None:
            response = await http.get(f"{replica.url}/api/bookings/{booking_id}/evidence")
            evidence = read_evidence(response.content)
            return evidence if (await results(audit, evidence))["witnesses"] == "pass" else None

        evidence = await eventually(cosigned, seconds=20, what="a file with a cosigned checkpoint")
        await replica.stop()
    checks = check_evidence(evidence, [*log_keys, other.keys[0]])
    assert {check.id: check.text for check in checks}["witnesses"].startswith("1 of 1 witnesses signed it")
    strangers = check_evidence(evidence, [*log_keys, other.keys[1]])
    assert {check.id: check.result for check in strangers}["witnesses"] == "note"


async def test_answer_is_a_file_and_an_unknown_booking_is_a_problem(audit: AuditApi) -> None:
    booking_id = await recorded_booking(audit)
    response = await audit.get(f"/api/bookings/{booking_id}/evidence")
    assert response.headers["content-type"].startswith("text/html")
    assert response.headers["content-disposition"] == f'attachment; filename="evidence-{booking_id}.html"'
    assert response.headers["cache-control"] == "no-store"
    unknown = await audit.get(f"/api/bookings/{clock.new_id()}/evidence")
    assert (unknown.status_code, unknown.json()["type"]) == (404, "urn:plumbline:problem:not-found")


async def test_command_writes_a_file_with_contents_that_another_command_verifies(
    audit: AuditApi, audit_stack: Stack, tmp_path: Path
) -> None:
    booking_id = await recorded_booking(audit)
    await sealed(audit, booking_id, 4)
    file = tmp_path / "evidence.html"
    written = await audit_stack.run(
        "audit", "evidence", "--booking", booking_id, "--out", str(file), "--with-payloads"
    )
    assert written.exit_code == 0, written.stderr
    evidence = read_evidence(file.read_bytes())
    assert (await results(audit, evidence))["contents"] == "pass"
    assert any(
        item["metadata"]["payloads"]
        for item in await audit.entries(booking_id=booking_id, event_type="audit.evidence-exported")
    )
    keys = [key["key"] for key in (await audit.get("/log/keys")).json()["keys"] if key["signs"]]
    options = [option for key in keys for option in ("--key", key)]
    verified = await audit_stack.run("audit", "verify-evidence", str(file), *options)
    assert (verified.exit_code, verified.stdout.splitlines()[-1][:18]) == (0, "the evidence holds")
    exports = {"booking_id": booking_id, "event_type": "audit.evidence-exported"}
    recorded = len(await audit.entries(**exports))
    nowhere = str(tmp_path / "nowhere" / "evidence.html")
    lost = await audit_stack.run("audit", "evidence", "--booking", booking_id, "--out", nowhere)
    assert (lost.exit_code, lost.stderr) == (2, f"error: {nowhere}: there is no such file or folder\n")
    assert len(await audit.entries(**exports)) == recorded
    unknown = await audit_stack.run("audit", "evidence", "--booking", clock.new_id())
    assert (unknown.exit_code, unknown.stdout) == (1, "")
    assert "the log knows of no booking" in unknown.stderr


async def test_thousand_entries_fit_into_one_file(audit: AuditApi) -> None:
    booking_id = clock.new_id()
    await audit.recorded(STRIPE, *(webhook(b"{}", subject=booking_id) for _ in range(1000)))
    await sealed(audit, booking_id, 1000)
    began = time.perf_counter()
    content = (await audit.get(f"/api/bookings/{booking_id}/evidence")).content
    seconds = time.perf_counter() - began
    evidence = read_evidence(content)
    assert len(evidence.entries) >= 1000
    assert (await results(audit, evidence))["entries"] == "pass"
    assert len(content) < 2_500_000
    assert seconds < 5
