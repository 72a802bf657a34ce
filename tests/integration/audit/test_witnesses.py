"""Two installations witness each other (AU-8): `docs/witnesses.md` to the letter; away, restored, forked."""

import asyncio
import json
import re
import shutil
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from audit.domain.log.checkpoints import open_checkpoint, verify_signatures
from audit.domain.log.keys import KeyType, SigningKey
from audit.domain.log.policies import is_met, parse_policy
from harness import Infra, Stack, down, eventually, start_services
from harness.ports import free_port
from harness.processes import Running
from integration.audit.audit_records import event_on
from integration.audit.following import Operator
from integration.audit.sealed_log import is_sealed, readiness
from integration.audit.witness_processes import run_witness

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")

TOPIC = "webhooks.stripe.v1"
COSIGNED_SECONDS_MAX = 10
_SET_BACK = "UPDATE witness_log SET tree_size = $2, root = $3 WHERE origin = $1"


@dataclass
class Company:
    """An installation with its log, and a witness for the log of the other company."""

    origin: str
    stack: Stack
    folder: Path
    witness_port: int

    @property
    def witness_url(self) -> str:
        return f"http://127.0.0.1:{self.witness_port}"

    async def append(self, entries: int = 1) -> None:
        """Record entries, and wait until they are sealed."""
        count = "SELECT count(*) FROM event_log"
        before = await self.stack.database("audit").fetchval(count)
        await self.stack.topic(TOPIC).publish_all([event_on(TOPIC) for _ in range(entries)])

        async def are_sealed() -> bool:
            recorded = await self.stack.database("audit").fetchval(count)
            return recorded >= before + entries and await is_sealed(self.stack)

        await eventually(are_sealed, seconds=30)

    async def report(self) -> dict[str, Any]:
        """Return what `audit witnesses` says."""
        done = await self.stack.run("audit", "witnesses", "--json")
        assert done.exit_code == 0, done.stderr
        return json.loads(done.stdout)

    async def cosigned(self, entries: int) -> dict[str, Any]:
        """Wait until the quorum has cosigned all entries, which are `entries` or more."""

        async def is_cosigned() -> dict[str, Any] | None:
            report = await self.report()
            return report if report["cosigned_size"] == report["tree_size"] >= entries else None

        return await eventually(is_cosigned, seconds=30)

    async def error(self, words: str) -> str:
        """Wait until the error of the witness has these words."""

        async def has_error() -> str | None:
            errors = {line["error"] for line in (await self.report())["witnesses"]}
            return next((error for error in errors if error and words in error), None)

        return await eventually(has_error, seconds=30)


@dataclass
class Pair:
    """Companies `a` and `b`. `witness` runs at `b`, for the log of `a`."""

    a: Company
    b: Company
    witness: Running


async def _company(stay: AsyncExitStack, infra: Infra, name: str, folder: Path) -> Company:
    """Start an installation whose policy names no witness yet."""
    origin = f"{name}.example/audit"
    policy = folder / "witnesses.policy"
    policy.write_text("quorum none\n")
    variables = {
        "AUDIT_LOG_ORIGIN": origin,
        "AUDIT_WITNESS_POLICY_FILE": str(policy),
        "AUDIT_WITNESS_SECONDS": "0.3",
    }
    for variable, key_type in (
        ("AUDIT_SIGNING_KEY_FILE", KeyType.ED25519),
        ("AUDIT_MLDSA_KEY_FILE", KeyType.MLDSA44_COSIGNATURE),
    ):
        file = folder / variable
        file.write_text(SigningKey(origin, key_type, name.encode() * 32).encode())
        variables[variable] = str(file)
    stack = await stay.enter_async_context(start_services(infra, "audit", env=variables))
    return Company(origin, stack, folder, free_port())


async def _set_up_witness(stay: AsyncExitStack, infra: Infra, log: Company, keeper: Company) -> Running:
    """Do what the page says; its commands run in one folder, as if both companies sat at one desk."""
    words = {"WITNESS_NAME": f"witness.{keeper.origin}", "WITNESS_URL": keeper.witness_url}
    operator = Operator("../../docs/witnesses.md", log.stack, infra, log.folder, words)

    async def follow(heading: str) -> str:
        done = await operator.follow(heading)
        assert all(each.exit_code == 0 for each in done), (heading, done)
        return done[-1].stdout

    await follow("1. B makes a key")
    await follow("2. A gives its keys to B")
    keys, logs = log.folder / "witness.key", log.folder / "logs.policy"
    assert keys.stat().st_mode & 0o77 == 0
    running = await stay.enter_async_context(run_witness(keeper.stack, keys, logs, keeper.witness_port))
    await follow("4. A names its witnesses")
    (audit,) = log.stack.services("audit")
    await audit.stop()
    await audit.start()
    await log.append()
    await log.cosigned(1)
    assert "quorum b-both: " in await follow("5. A looks")
    return running


@pytest.fixture(scope="module")
async def pair(infra: Infra, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Pair]:
    folder = tmp_path_factory.mktemp("companies")
    async with AsyncExitStack() as stay:
        for name in "ab":
            (folder / name).mkdir()
        a, b = await asyncio.gather(*(_company(stay, infra, name, folder / name) for name in "ab"))
        witness = await _set_up_witness(stay, infra, a, b)
        await _set_up_witness(stay, infra, b, a)
        yield Pair(a, b, witness)


async def test_each_log_is_cosigned_by_the_other_company_within_ten_seconds(
    pair: Pair, http: httpx.AsyncClient
) -> None:
    for company in (pair.a, pair.b):
        await company.append(3)
        report = await company.cosigned(4)
        assert {line["error"] for line in report["witnesses"]} == {None}
        policy = parse_policy((company.folder / "witnesses.policy").read_bytes())
        logs = parse_policy((company.folder / "logs.policy").read_bytes())
        shown = await http.get(f"{company.stack.url('audit')}/log/checkpoint")
        checkpoint, note = open_checkpoint(
            shown.content, logs.log_keys(company.origin), origin=company.origin
        )
        assert checkpoint.size == report["tree_size"]
        assert is_met(policy, verify_signatures(note, policy.witness_keys()))
        assert len(note.signatures) == 4
        entry = await company.stack.database("audit").fetchval("SELECT min(entry_id) FROM log_leaf")
        proof = await company.stack.run("audit", "prove", str(entry), "-o", "-")
        assert proof.stdout.endswith(shown.text), proof.stderr
        latest = await company.stack.database("audit").fetchval(
            "SELECT max(extract(epoch FROM cosigned_at - signed_at)) FROM log_submission"
            " JOIN log_cosignature USING (tree_size) WHERE tree_size = $1",
            report["tree_size"],  # the first ones were signed before there was a witness
        )
        assert latest < COSIGNED_SECONDS_MAX


async def test_witness_that_is_away_holds_up_nothing_and_the_runbook_leads_back(
    pair: Pair, infra: Infra, http: httpx.AsyncClient, tmp_path: Path
) -> None:
    operator = Operator("witness-away.md", pair.a.stack, infra, tmp_path)
    size = (await pair.a.report())["tree_size"]
    async with down(pair.witness):
        await pair.a.append()
        await pair.a.error("it cannot be reached")
        shown, ready = await operator.follow("1. Look which one, and why")
        assert "reached" in shown.stdout, shown
        assert "cannot be reached" in ready.stdout
        report = await pair.a.report()
        assert report["tree_size"] > size >= report["cosigned_size"]
        entry = await pair.a.stack.database("audit").fetchval("SELECT min(entry_id) FROM log_leaf")
        proof = await pair.a.stack.run("audit", "prove", str(entry), "-o", "-")
        assert f"\n{report['cosigned_size']}\n" in proof.stdout, "a proof has the checkpoint of the quorum"
        url = pair.a.stack.url("audit")
        detail = (await readiness(url))["witnesses"]
        assert detail["ok"]
        assert "b+b-pq: it cannot be reached" in str(detail["detail"])
        metrics = (await http.get(f"{url}/metrics")).text
        assert re.search(
            r'^audit_log_witness_requests_total\{outcome="unreachable",witness="b\+b-pq"\} [1-9]',
            metrics,
            re.MULTILINE,
        )
        assert re.search(
            r"^audit_log_uncosigned_seconds [1-9]|^audit_log_uncosigned_seconds 0\.", metrics, re.MULTILINE
        )
    await pair.a.cosigned(size + 1)
    (checked,) = await operator.follow("4. Check")
    assert {line["error"] for line in json.loads(checked.stdout)["witnesses"]} == {None}


async def test_witness_restored_from_an_old_state_and_a_forgotten_size_heal_themselves(pair: Pair) -> None:
    for size_min in (1, 2):
        await pair.a.append()
        size = (await pair.a.cosigned(size_min))["tree_size"]
    database = pair.b.stack.database("audit")
    old = await pair.a.stack.database("audit").fetchrow(
        "SELECT tree_size, root FROM log_submission ORDER BY tree_size LIMIT 1"
    )
    assert old["tree_size"] < size
    async with database.without_triggers("witness_log") as connection:
        await connection.execute(_SET_BACK, pair.a.origin, old["tree_size"], old["root"])
    await pair.a.append()
    size = (await pair.a.cosigned(size + 1))["tree_size"]
    await pair.a.stack.database("audit").execute("DELETE FROM log_witness")
    await pair.a.append()
    await pair.a.cosigned(size + 1)


@pytest.mark.parametrize(
    ("more", "words"),
    [(0, "does not continue the tree that it has cosigned (422)"), (1000, "it has cosigned a tree of")],
)
async def test_witness_that_has_seen_another_log_says_so_and_cosigns_nothing(
    pair: Pair, more: int, words: str
) -> None:
    await pair.a.append()
    size = (await pair.a.cosigned(1))["tree_size"]
    seen = await pair.b.stack.database("audit").fetchrow(
        "SELECT tree_size, root FROM witness_log WHERE origin = $1", pair.a.origin
    )
    database = pair.b.stack.database("audit")
    async with database.without_triggers("witness_log") as connection:
        await connection.execute(_SET_BACK, pair.a.origin, seen["tree_size"] + more, b"f" * 32)
    try:
        await pair.a.append()
        await pair.a.error(words)
        report = await pair.a.report()
        assert (report["cosigned_size"], report["tree_size"] > size) == (size, True)
    finally:
        async with database.without_triggers("witness_log") as connection:
            await connection.execute(_SET_BACK, pair.a.origin, *seen)
    await pair.a.cosigned(size + 1)


async def test_forged_row_makes_no_quorum(pair: Pair) -> None:
    database = pair.b.stack.database("audit")
    size = (await pair.b.cosigned(1))["tree_size"]
    forged = size + 1_000_000
    newest = await database.fetchrow(
        "SELECT root, note, signed_at FROM log_submission WHERE tree_size = $1", size
    )
    note = newest["note"].replace(f"\n{size}\n", f"\n{forged}\n")
    await database.execute(
        "INSERT INTO log_submission VALUES ($1, $2, $3, $4)",
        forged,
        newest["root"],
        note,
        newest["signed_at"],
    )
    copied = await database.execute(
        "INSERT INTO log_cosignature SELECT $1, key_name, key_id, signature FROM log_cosignature"
        " WHERE tree_size = $2",
        forged,
        size,
    )
    assert copied == "INSERT 0 2"
    assert (await pair.b.report())["cosigned_size"] == size
