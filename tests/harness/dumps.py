"""Dumps of a database, restored into a new one (F38)."""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from harness.databases import TestDatabase
from harness.deployment import PASSWORDS
from harness.infra import Infra
from plumbline import databases, postgres_binaries

# Without parentheses: a restored condition has them in other places.
_TRIGGERS = """
SELECT tgrelid::regclass::text, tgname, tgenabled, translate(pg_get_triggerdef(oid), '()', '')
FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1, 2
"""
_RIGHTS = """
SELECT relname, relacl::text FROM pg_class
WHERE relnamespace = $1::text::regnamespace AND relkind IN ('r', 'v') ORDER BY 1
"""


@asynccontextmanager
async def restored(
    infra: Infra, source: TestDatabase, service: str, dump: Path
) -> AsyncGenerator[TestDatabase]:
    """Dump a service's database and restore it into one that is provisioned anew; drop that at the end.

    Skipped where pg_dump is not installed.
    """
    name = f"{source.dsn().rpartition('/')[2].partition('?')[0]}_restored"
    await databases.provision(infra.admin_dsn(), PASSWORDS, databases={service: name})
    try:
        copy = TestDatabase(infra.admin_dsn(name), PASSWORDS)
        await copy_database(source.dsn(), copy.dsn(), dump)
        yield copy
    finally:
        await TestDatabase(infra.admin_dsn(), PASSWORDS).execute(f'DROP DATABASE "{name}" WITH (FORCE)')


async def copy_database(source: str, target: str, dump: Path) -> None:
    """Dump a database and restore it into one that is provisioned, both by their connection strings."""
    where = _programs()
    await _run(str(where / "pg_dump"), "-Fc", "-f", str(dump), source)
    options = ("--clean", "--if-exists", "--exit-on-error")
    await _run(str(where / "pg_restore"), *options, "-d", target, str(dump))


async def content(
    database: TestDatabase, schema: str, queries: Mapping[str, str]
) -> dict[str, list[asyncpg.Record]]:
    """Return what the queries find in a database, and the `triggers` and `rights` of a schema."""
    async with database.connect() as connection:
        await connection.execute(f"SET search_path = {schema}")
        found = {name: await connection.fetch(query) for name, query in queries.items()}
        found["triggers"] = await connection.fetch(_TRIGGERS)
        found["rights"] = await connection.fetch(_RIGHTS, schema)
        return found


def _programs() -> Path:
    try:
        return postgres_binaries.directory(postgres_binaries.account())
    except Exception:  # noqa: BLE001 - no binaries here, for whatever reason
        found = shutil.which("pg_dump")
        if found is None:
            pytest.skip("pg_dump is not installed here")
        return Path(found).parent


async def _run(*command: str) -> None:
    finished = await asyncio.to_thread(subprocess.run, command, capture_output=True, timeout=60, check=False)
    assert finished.returncode == 0, finished.stderr.decode()
