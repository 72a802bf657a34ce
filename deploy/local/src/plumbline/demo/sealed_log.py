"""Verify the day's sealed log with `audit verify`, and show that a tampered copy of its database is found."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg

from chassis.process.tables import Column, Facts, Table, number
from plumbline import dsn
from plumbline.failure import StackError
from plumbline.waiting import until

SETTLE_SECONDS_MAX = 30.0
_COMMAND_SECONDS_MAX = 60
_COPY = "audit_tampered_copy"

_UNSEALED = "SELECT (SELECT count(*) FROM audit.event_log) - (SELECT count(*) FROM audit.log_leaf)"
_CHECKPOINT = "SELECT note FROM audit.log_head"

TAMPERING = """
ALTER TABLE audit.event_log DISABLE TRIGGER ALL;
UPDATE audit.event_log SET actor = 'nobody'
WHERE entry_id = (SELECT max(entry_id) FROM audit.event_log WHERE event_type = 'booking.status-changed');
ALTER TABLE audit.event_log ENABLE ALWAYS TRIGGER event_log_rows;
ALTER TABLE audit.event_log ENABLE ALWAYS TRIGGER event_log_statements;
"""
"""What the owner of the database can do: change an entry, and put the triggers back."""

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class LogAccess:
    """What the demo needs of the audit log.

    Attributes:
        admin_dsn: of the server, as a superuser.
        variables: those of the service `audit`: its keys, checkpoints and database.
    """

    admin_dsn: str
    variables: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class LogVerdicts:
    """Origin, size and root of the newest checkpoint; results of `audit verify` of log and copy."""

    checkpoint: tuple[str, str, str]
    log: Json
    tampered_copy: Json


async def verify_log(access: LogAccess) -> LogVerdicts:
    """Wait until all entries are sealed, verify the log, and verify a copy in which one entry was changed."""
    admin = await asyncpg.connect(dsn.at_database(access.admin_dsn, "audit"), timeout=10)
    try:

        async def is_sealed() -> bool:
            return await admin.fetchval(_UNSEALED) == 0

        await until(is_sealed, seconds_max=SETTLE_SECONDS_MAX)
        note: str = await admin.fetchval(_CHECKPOINT)
    finally:
        await admin.close()
    log = await _verify(access.variables)
    async with _tampered_copy(access) as variables:
        origin, size, root, *_ = note.split("\n")
        return LogVerdicts((origin, size, root), log, await _verify(variables))


def log_problems(verdicts: LogVerdicts) -> list[str]:
    """Return what is wrong, one line each: the log must be intact, and the copy must not."""
    return [
        *([] if verdicts.log["verdict"] == "intact" else [f"the sealed log is {verdicts.log['class']}"]),
        *([] if verdicts.tampered_copy["verdict"] == "tampered" else ["the tampered copy was not found"]),
    ]


def log_parts(verdicts: LogVerdicts) -> list[Table | Facts | str]:
    """Return what is printed of the sealed log."""
    table = Table(
        Column("database"),
        Column("entries", right=True),
        Column("audit verify"),
        Column("first bad leaf", right=True),
        Column("class"),
        title="The sealed log",
        empty="nothing was verified",
    )
    for name, verdict in (("audit", verdicts.log), ("a copy, one actor changed", verdicts.tampered_copy)):
        leaf = verdict["first_bad_index"]
        table.add(
            name,
            number(verdict["tree_size"]),
            verdict["verdict"],
            "" if leaf is None else number(leaf),
            verdict["class"] or "",
        )
    table.add_note(
        "The copy was changed as the database's owner can do it, with the triggers off. The changed entry no"
        " longer is what was sealed."
    )
    origin, size, root = verdicts.checkpoint
    facts = Facts()
    facts.add("newest checkpoint", f"{number(int(size))} entries of {origin}")
    facts.add("root", root)
    facts.add("signed by", f"{len(verdicts.log['signed_by'])} keys: Ed25519 and ML-DSA-44")
    return [table, facts]


@asynccontextmanager
async def _tampered_copy(access: LogAccess) -> AsyncGenerator[Mapping[str, str]]:
    """Copy the database, change an entry of the copy, and yield the variables that lead to the copy."""
    server = await asyncpg.connect(access.admin_dsn, timeout=10)
    try:
        await server.execute(f'DROP DATABASE IF EXISTS "{_COPY}" WITH (FORCE)')
        # A database is copied while nobody is connected. The service connects again by itself.
        await server.execute("ALTER DATABASE audit ALLOW_CONNECTIONS false")
        try:
            await server.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = 'audit'"
            )
            await server.execute(f'CREATE DATABASE "{_COPY}" TEMPLATE audit')
        finally:
            await server.execute("ALTER DATABASE audit ALLOW_CONNECTIONS true")
        await server.execute(f'ALTER DATABASE "{_COPY}" SET search_path = audit, public')
        owner = await asyncpg.connect(dsn.at_database(access.admin_dsn, _COPY), timeout=10)
        try:
            await owner.execute(TAMPERING)
        finally:
            await owner.close()
        copied = dsn.at_database(access.variables["AUDIT_POSTGRES_DSN"], _COPY)
        yield {**access.variables, "AUDIT_POSTGRES_DSN": copied}
        await server.execute(f'DROP DATABASE "{_COPY}" WITH (FORCE)')
    finally:
        await server.close()


async def _verify(variables: Mapping[str, str]) -> Json:
    command = [sys.executable, "-P", "-s", "-m", "audit", "verify", "--json"]
    done = await asyncio.to_thread(
        subprocess.run,
        command,
        env=dict(variables),
        capture_output=True,
        timeout=_COMMAND_SECONDS_MAX,
        check=False,
    )
    try:
        return json.loads(done.stdout)
    except ValueError:
        raise StackError(f"demo: audit verify: {done.stderr.decode(errors='replace')[-500:]}") from None
