"""`outbox status`, the gauges beside it, and the runbook that tells what to do about them."""

import json
import re
import shlex
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import pytest

from chassis.messaging.outbox import SHARDS
from harness import Infra, Stack, eventually, start_services
from harness.ports import free_port
from harness.processes import run_program
from plumbline import dsn

RUNBOOK = Path(__file__).parents[3] / "deploy/runbooks/outbox-growing.md"
MISSING = "nobody.made.v1"
HOURS_2 = 7_200

_WRITE = """
INSERT INTO outbox (shard, topic, key, value, headers, created_at)
SELECT $1, $2, 'k', '', '[]', now() - interval '2 hours' FROM generate_series(1, $3::integer)
"""


@pytest.fixture
async def silent(infra: Infra) -> AsyncGenerator[Stack]:
    """Databases and topics, and no relay that would send what waits."""
    async with start_services(infra) as stack:
        yield stack


async def write(stack: Stack, service: str, shard: int, rows: int) -> None:
    await stack.database(service).execute(_WRITE, shard, MISSING, rows)


async def status(stack: Stack, service: str, *arguments: str, exit_code: int = 0) -> dict[str, Any]:
    finished = await stack.run(service, "outbox", "status", "--json", *arguments)
    assert finished.exit_code == exit_code, finished
    return json.loads(finished.stdout)


@pytest.mark.parametrize("service", ["booking", "reconciler"])
async def test_nothing_waits_and_nobody_relays_is_told_as_it_is(silent: Stack, service: str) -> None:
    found = await status(silent, service)
    assert (found["unsent_rows"], found["oldest_unsent_seconds"], found["owned_shards"]) == (0, None, 0)
    assert [shard["shard"] for shard in found["shards"]] == list(range(SHARDS))
    assert {(shard["unsent_rows"], shard["owner"]) for shard in found["shards"]} == {(0, None)}
    told = await silent.run(service, "outbox", "status")
    assert told.exit_code == 0
    assert told.stdout.count("nobody") == SHARDS
    assert told.stdout.splitlines()[-1] == f"no event waits; 0 of {SHARDS} shards owned"


# Slow: a row must be old.
async def test_old_row_exits_with_1_and_is_told_by_shard(silent: Stack) -> None:
    await write(silent, "booking", 3, 2)
    await write(silent, "booking", 5, 1_003)
    found = await status(silent, "booking", exit_code=1)
    assert found["unsent_rows"] == 1_002
    assert HOURS_2 <= found["oldest_unsent_seconds"] < HOURS_2 + 600
    waiting = {shard["shard"]: shard["unsent_rows"] for shard in found["shards"] if shard["unsent_rows"]}
    assert waiting == {3: 2, 5: 1_000}
    assert {s["shard"] for s in found["shards"] if s["oldest_unsent_seconds"] is not None} == {3, 5}
    await status(silent, "booking", "--older-than", "10000")
    told = (await silent.run("booking", "outbox", "status")).stdout
    assert re.search(r"^ +3 +2 +7,[2-7]\d\d\.\d s +nobody", told, re.MULTILINE)
    assert re.search(r"^ +5 +1,000\+ +7,[2-7]\d\d\.\d s +nobody", told, re.MULTILINE)
    assert re.match(r"1,002\+ unsent, the oldest for 7,[2-7]", told.splitlines()[-1])


async def test_database_that_does_not_answer_exits_with_2_and_one_line(silent: Stack) -> None:
    nobody = {"BOOKING_POSTGRES_DSN": f"postgresql://booking:secret@127.0.0.1:{free_port()}/booking"}
    finished = await silent.run("booking", "outbox", "status", env=nobody)
    assert (finished.exit_code, finished.stdout, finished.stderr.count("\n")) == (2, "", 1)
    assert "secret" not in finished.stderr


async def test_owner_and_gauges_tell_of_rows_that_are_held_back(
    silent: Stack, http: httpx.AsyncClient
) -> None:
    relay = await silent.start("booking", arguments=("--only", "relay"))
    await write(silent, "booking", 3, 4)

    async def gauge(name: str) -> dict[str, float]:
        text = (await http.get(f"{relay.url}/metrics")).text
        found = re.findall(rf'^booking_{name}{{shard="(\d+)"}} (\S+)$', text, re.MULTILINE)
        return {shard: float(value) for shard, value in found}

    async def counted() -> bool:
        return (await gauge("outbox_unsent_rows")).get("3") == 4

    await eventually(counted, seconds=30)
    assert await gauge("outbox_unsent_rows") == {str(s): 4 if s == 3 else 0 for s in range(SHARDS)}
    ages = await gauge("outbox_oldest_unsent_seconds")
    assert ages.pop("3") >= HOURS_2
    assert set(ages.values()) == {0}
    found = await status(silent, "booking", exit_code=1)
    assert found["owned_shards"] == SHARDS
    owners = [shard["owner"] for shard in found["shards"]]
    session = await silent.database("booking").fetchrow(
        "SELECT application_name, host(client_addr) AS address, pid FROM pg_stat_activity"
        " WHERE application_name = 'booking-dedicated' AND datname = current_database()"
    )
    assert session is not None
    for owner in owners:
        assert {name: owner[name] for name in ("application_name", "address", "pid")} == dict(session)
    table = (await silent.run("booking", "outbox", "status")).stdout
    assert f"  booking-dedicated  {session['pid']}  " in table


async def test_every_command_of_the_runbook_runs(silent: Stack, infra: Infra) -> None:
    await write(silent, "booking", 3, 1)
    database = silent.database("booking")
    blocks = re.findall(r"```(sh|sql)\n(.*?)```", RUNBOOK.read_text(), re.DOTALL)
    commands = [line for kind, block in blocks if kind == "sh" for line in block.splitlines()]
    environment = {**silent.environment(), dsn.ADMIN_VARIABLE: infra.admin_dsn()}
    for command in commands:
        program, *arguments = shlex.split(command)
        finished = await run_program(program, arguments, environment)
        assert finished.exit_code in (0, 1), (command, finished)
        assert finished.exit_code == 0 or "doctor" in command or "outbox status" in command, finished
    async with database.connect() as forgotten:
        await forgotten.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM outbox")
        pid = forgotten.get_server_pid()
        statements = [block.replace("PID)", f"{pid})") for kind, block in blocks if kind == "sql"]
        holders, prepared, ended = [await database.fetch(statement) for statement in statements]
    assert pid in {row["pid"] for row in holders}
    assert prepared == []
    assert [row["pg_terminate_backend"] for row in ended] == [True]
