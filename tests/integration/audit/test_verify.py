"""`audit verify`, `prove`, `verify-proof`, `checkpoint`: beside a running service, and with bad input."""

import json
import re
from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
import pytest

from chassis import clock
from harness import Finished, Infra, Stack, eventually, start_services
from integration.audit.audit_records import AuditApi, changed, created, webhook
from integration.audit.sealed_log import is_sealed

VERIFIED = ("verify", "--json")


@pytest.fixture(scope="module")
async def own(infra: Infra, http: httpx.AsyncClient) -> AsyncGenerator[Stack]:
    """A log with a booking's history, a delivery, and checkpoints outside the database."""
    async with start_services(infra, "audit", env={"AUDIT_CHECKPOINT_SECONDS": "0.5"}) as stack:
        audit, booking_id = AuditApi(stack, http), clock.new_id()
        await audit.recorded("webhooks.stripe.v1", webhook(b"{}"))
        await audit.recorded(
            "bookings.events.v1", created(booking_id), changed(booking_id, 2, "pending", "confirmed")
        )

        async def published() -> bool:
            # In this order: a size from before the last sealing may be published already.
            if not await is_sealed(stack):
                return False
            size = await stack.database("audit").fetchval("SELECT tree_size FROM log_head")
            files = directory(stack).glob("checkpoint-*")
            return any(file.name.endswith(str(size)) for file in files)

        await eventually(published, seconds=20, what="the whole log sealed and published")
        yield stack


def directory(stack: Stack) -> Path:
    return Path(stack.environment()["AUDIT_CHECKPOINT_DIR"])


async def keys_of(stack: Stack, http: httpx.AsyncClient) -> list[str]:
    keys = (await http.get(f"{stack.url('audit')}/log/keys")).json()["keys"]
    return [argument for key in keys for argument in ("--key", key["key"])]


def refused(done: Finished, exit_code: int, *words: str) -> None:
    assert done.exit_code == exit_code, (done.exit_code, done.stderr)
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    for word in words:
        assert word in done.stderr


async def test_clean_log_is_intact_against_its_own_and_its_kept_checkpoints(own: Stack) -> None:
    done = await own.run("audit", *VERIFIED)
    assert (done.exit_code, done.stderr) == (0, "")
    report = json.loads(done.stdout)
    assert (report["verdict"], report["findings"]) == ("intact", [])
    assert report["verified"] == report["tree_size"] > 3
    assert (report["payloads"], report["erased"]) == (report["tree_size"], 0)
    assert report["outside_checkpoints"] >= 1
    assert len(report["signed_by"]) == 2
    shown = await own.run("audit", "verify")
    assert "intact" in shown.stdout


async def test_log_is_verified_since_a_checkpoint_with_public_keys_alone(
    own: Stack, http: httpx.AsyncClient, tmp_path: Path
) -> None:
    head = await own.run("audit", "checkpoint")
    assert head.stdout == (await http.get(f"{own.url('audit')}/log/checkpoint")).text
    (tmp_path / "mine").write_text(head.stdout, encoding="utf-8")
    keys = await keys_of(own, http)
    env = {"AUDIT_SIGNING_KEY_FILE": "", "AUDIT_MLDSA_KEY_FILE": ""}
    done = await own.run("audit", *VERIFIED, "--since", str(tmp_path / "mine"), *keys, env=env)
    assert json.loads(done.stdout)["verdict"] == "intact", done.stderr
    assert json.loads((await own.run("audit", "checkpoint", "--json")).stdout)["note"] == head.stdout


async def test_proof_of_an_entry_needs_nothing_but_the_key(
    own: Stack, http: httpx.AsyncClient, tmp_path: Path
) -> None:
    audit, keys = AuditApi(own, http), await keys_of(own, http)
    entry = (await audit.entries(event_type="booking.status-changed"))[0]
    assert isinstance(entry["leaf_index"], int)
    shown = (await audit.get(f"/api/event-log/{entry['entry_id']}")).json()
    path = tmp_path / "entry.tlog-proof"
    path.write_text(shown["proof"], encoding="utf-8")
    done = await own.run("audit", "verify-proof", str(path), "--json", *keys, env=WITHOUT_SERVERS)
    facts = (await own.run("audit", "verify-proof", str(path), *keys, env=WITHOUT_SERVERS)).stdout
    assert re.search(r"^event_type +booking\.status-changed$", facts, re.MULTILINE)
    proved = json.loads(done.stdout)
    assert (proved["verdict"], proved["leaf_index"]) == ("proved", entry["leaf_index"])
    assert json.loads(proved["entry"])["event_id"] == entry["event_id"]
    written = await own.run(
        "audit", "prove", str(entry["entry_id"]), "--output", str(tmp_path / "bare"), "--without-entry"
    )
    assert written.exit_code == 0, written.stderr
    (tmp_path / "form").write_text(proved["entry"], encoding="utf-8")
    given = ("--entry", str(tmp_path / "form"))
    again = await own.run("audit", "verify-proof", str(tmp_path / "bare"), *given, *keys, env=WITHOUT_SERVERS)
    assert again.exit_code == 0, again.stderr
    refused(
        await own.run("audit", "verify-proof", str(tmp_path / "bare"), *keys), 2, "does not hold its entry"
    )


KEY_OF_ANOTHER_LOG = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
WITHOUT_SERVERS = {
    "AUDIT_POSTGRES_DSN": "postgresql://nobody@127.0.0.1:1/none",
    "KAFKA_BOOTSTRAP": "127.0.0.1:1",
}


async def test_bad_proofs_and_keys_are_refused_in_one_line(
    own: Stack, http: httpx.AsyncClient, tmp_path: Path
) -> None:
    keys, path = await keys_of(own, http), tmp_path / "proof"
    (entry, *_) = await AuditApi(own, http).entries(status="success")
    proof = (await own.run("audit", "prove", str(entry["entry_id"]), "--output", "-")).stdout

    async def check(content: str, *arguments: str) -> Finished:
        path.write_text(content, encoding="utf-8")
        return await own.run("audit", "verify-proof", str(path), *(arguments or keys))

    refused(await check(proof[: len(proof) // 3]), 1, "not proved")
    refused(await check(proof.replace("index ", "index 9")), 1, "no leaf")
    refused(await check("x" * 10_000_000), 2, "more than")
    refused(await check(proof, "--key", "example.com/log+c7cbfc03+AQ=="), 2, "--key")
    refused(await check(proof, "--key", str(tmp_path / "none")), 2, "no such file")
    refused(await check(proof, "--key", KEY_OF_ANOTHER_LOG), 1, "no signature of a known key")
    refused(await own.run("audit", "verify-proof", str(path)), 2, "no key")
    (tmp_path / "policy").write_text("quorum none\n", encoding="utf-8")
    refused(await check(proof, "--policy", str(tmp_path / "policy")), 2, "has no log line")
    refused(await own.run("audit", "prove", "999999999"), 2, "no entry 999999999")


async def test_what_cannot_be_checked_is_exit_code_2(own: Stack, tmp_path: Path) -> None:
    # A key that was mistaken for the log's is no alarm.
    refused(await own.run("audit", "verify", "--key", KEY_OF_ANOTHER_LOG), 2, "a key of example.com/foo")
    refused(
        await own.run("audit", "verify", "--against", str(tmp_path / "none")), 2, "no such file or folder"
    )
    refused(await own.run("audit", "verify", "--since", str(tmp_path / "none")), 2, "--since")
    no_key = {"AUDIT_SIGNING_KEY_FILE": "", "AUDIT_MLDSA_KEY_FILE": ""}
    refused(await own.run("audit", "verify", env=no_key), 2, "no key")
    refused(await own.run("audit", "verify", env=WITHOUT_SERVERS), 2, "AUDIT_POSTGRES_DSN")
    example = (
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
        "— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5"
        "/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    )
    (tmp_path / "theirs").write_text(example, encoding="utf-8")
    refused(await own.run("audit", "verify", "--against", str(tmp_path)), 2, "is of the log")


async def set_actor(stack: Stack, actor: str | None) -> str | None:
    """Change the first sealed entry as the owner of the table can. Return what stood there."""
    first = "(SELECT min(entry_id) FROM audit.log_leaf)"
    async with stack.database("audit").without_triggers("audit.event_log") as connection:
        before = await connection.fetchval(f"SELECT actor FROM audit.event_log WHERE entry_id = {first}")
        await connection.execute(f"UPDATE audit.event_log SET actor = $1 WHERE entry_id = {first}", actor)
    return before


async def test_tampered_log_is_exit_code_1_with_index_and_class(own: Stack) -> None:
    before = await set_actor(own, "nobody")
    try:
        done = await own.run("audit", "verify")
        assert done.exit_code == 1
        assert "tampered: first bad index 0: entry-altered" in done.stdout
        assert "What to do:" in done.stdout
        report = json.loads((await own.run("audit", *VERIFIED)).stdout)
        named = report["verdict"], report["first_bad_index"], report["class"]
        assert named == ("tampered", 0, "entry-altered")
    finally:
        await set_actor(own, before)
