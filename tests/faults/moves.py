"""A cluster that is given up for another one: F27."""

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from harness import Infra
from harness.databases import TestDatabase
from harness.deployment import PASSWORDS
from harness.dumps import copy_database
from harness.embedded import embedded_postgres
from harness.infra import Server
from plumbline import databases, dsn

if TYPE_CHECKING:
    from faults.scene import Scene

MOVED = ("booking", "audit")


class MovableInfra:
    """The servers of a session. A row may move its databases to another PostgreSQL."""

    def __init__(self, infra: Infra) -> None:
        self._infra = infra
        self._moved_to: str | None = None
        self.outlives_session = infra.outlives_session

    @property
    def kafka_bootstrap(self) -> str:
        return self._infra.kafka_bootstrap

    @property
    def kafka(self) -> Server:
        return self._infra.kafka

    @property
    def postgres(self) -> Server:
        return self._infra.postgres

    def admin_dsn(self, database: str = "postgres") -> str:
        if self._moved_to is None:
            return self._infra.admin_dsn(database)
        return dsn.at_database(self._moved_to, database)

    def move(self, admin_dsn: str | None) -> None:
        """Name the PostgreSQL of all later calls; None: the session's own."""
        self._moved_to = admin_dsn


async def restored_elsewhere(scene: "Scene") -> None:
    """F27: the services stop, their databases are restored in a cluster whose transactions start anew."""
    services = [running for name in MOVED for running in scene.stack.services(name)]
    await scene.stack.database("audit").execute(_USE_TRANSACTIONS)
    async with scene.load() as load:
        await load.reached(0.4)
        await asyncio.gather(*(running.stop() for running in services))
        server = await scene.stay.enter_async_context(embedded_postgres())
        before = {name: scene.stack.database(name) for name in MOVED}
        last, leaves = [await before["audit"].fetchval(query) for query in (_TRANSACTION, _LEAVES)]
        scene.infra.move(server.admin_dsn)
        scene.stay.callback(scene.infra.move, None)
        scene.stay.push_async_callback(scene.stack.stop)
        await _restore(scene, before)
        first = await scene.stack.database("audit").fetchval(_TRANSACTION)
        for running in services:
            running.change(scene.stack.environment())
        await asyncio.gather(*(running.start() for running in services))
    scene.notes |= {"leaves moved": leaves, "transactions, before and after": f"{last}, {first}"}
    assert leaves, "nothing was sealed before the move"
    assert first < last, "the new cluster is not a younger one"


async def _restore(scene: "Scene", before: dict[str, TestDatabase]) -> None:
    with tempfile.TemporaryDirectory(prefix="plumbline-dump-") as name:
        for service, source in before.items():
            target = scene.stack.database(service).dsn()
            own = {service: target.rpartition("/")[2].partition("?")[0]}
            await databases.provision(scene.infra.admin_dsn(), PASSWORDS, databases=own)
            await copy_database(source.dsn(), target, Path(name) / service)


_TRANSACTION = "SELECT pg_current_xact_id()::text::bigint"
_LEAVES = "SELECT count(*) FROM log_leaf"
# More than the restoring takes.
_USE_TRANSACTIONS = """
DO $$ BEGIN FOR number IN 1..10000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$
"""
