"""Migrated databases that the databases of stacks are copied from: each migration runs once a server."""

import asyncio
from collections.abc import Mapping

import asyncpg

from chassis.postgres.migrations import migrate
from harness.infra import Infra
from plumbline import databases

_PREFIX = "template_"
_made: set[str] = set()
_lock = asyncio.Lock()


async def make_databases(infra: Infra, names: Mapping[str, str], passwords: Mapping[str, str]) -> None:
    """Create databases (service → name) with roles, rights and migrated schema, and without rows."""
    if infra.outlives_session:  # a template would be left behind on it
        await _provision_and_migrate(infra, names, passwords)
        return
    templates = databases.prefixed(_PREFIX)
    async with _lock:
        if infra.admin_dsn() not in _made:
            await _provision_and_migrate(infra, templates, passwords)
            _made.add(infra.admin_dsn())
    admin = await asyncpg.connect(infra.admin_dsn())
    try:
        for service, name in names.items():
            await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{templates[service]}"')
    finally:
        await admin.close()
    await databases.provision(infra.admin_dsn(), passwords, databases=names)


async def _provision_and_migrate(
    infra: Infra, names: Mapping[str, str], passwords: Mapping[str, str]
) -> None:
    await databases.provision(infra.admin_dsn(), passwords, databases=names)
    for service, name in names.items():
        owner = databases.owner_role(service)
        await migrate(infra.admin_dsn(name), owner=owner, packages=["chassis", service])
