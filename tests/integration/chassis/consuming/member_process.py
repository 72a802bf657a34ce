"""Run a consumer group member that kills its own process at a given moment.

Arguments: bootstrap, ground's name, admin DSN, and "before-commit" or "after-commit".
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from chassis.messaging.message import Message
from chassis.postgres import Connection, Database, Isolation
from integration.chassis.ground import Ground, Member


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class DiesAfterCommit(Database):
    """Kills the process after COMMIT, before the offset commit."""

    @asynccontextmanager
    async def transaction(
        self, *, isolation: Isolation = "read_committed", readonly: bool = False
    ) -> AsyncGenerator[Connection]:
        async with super().transaction(isolation=isolation, readonly=readonly) as connection:
            yield connection
        die()


async def die_while_applying(_message: Message) -> None:
    die()


async def main() -> None:
    ground = Ground(*sys.argv[1:4])
    if sys.argv[4] == "after-commit":
        member = Member(ground, "dying", database=DiesAfterCommit(ground.dsn, application_name="dying"))
    else:
        member = Member(ground, "dying", before=die_while_applying)
    async with member.running():
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
