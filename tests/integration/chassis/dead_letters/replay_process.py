"""A process that replays an ordering key and kills itself at a given moment.

Arguments: bootstrap, ground's name, admin DSN, the key, the kind of moment and a number: "at" this many
seconds of replaying, "before-commit" or "after-commit" of the transaction with this number.
"""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from chassis.dead_letters.history import ReplayedBy
from chassis.dead_letters.replay import Replayer
from chassis.postgres import Connection, Database, Isolation
from integration.chassis.ground import SERVICE, TOPIC, Ground, Member


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Mortal(Database):
    """A database that kills the process around the end of its n-th transaction."""

    def __init__(self, dsn: str, kind: str, number: int) -> None:
        super().__init__(dsn, application_name="mortal")
        self._kind, self._left = kind, number

    @asynccontextmanager
    async def transaction(
        self, *, isolation: Isolation = "read_committed", readonly: bool = False
    ) -> AsyncGenerator[Connection]:
        async with super().transaction(isolation=isolation, readonly=readonly) as connection:
            yield connection
            self._left -= 1
            if self._left == 0 and self._kind == "before-commit":
                die()
        if self._left == 0 and self._kind == "after-commit":
            die()


async def main() -> None:
    ground = Ground(*sys.argv[1:4])
    key, kind, number = sys.argv[4].encode(), sys.argv[5], float(sys.argv[6])
    member = Member(
        ground, "replay", through_inbox=False, database=Mortal(ground.dsn, kind, max(1, int(number)))
    )
    await member.database.start()
    if kind == "at":  # a thread, so that the moment does not depend on the progress of the replay
        death = threading.Timer(number, die)
        death.daemon = True
        death.start()
    await Replayer(member.database, SERVICE, member.apply).replay((TOPIC, key), ReplayedBy("ada"))
    await member.database.stop()


if __name__ == "__main__":
    asyncio.run(main())
