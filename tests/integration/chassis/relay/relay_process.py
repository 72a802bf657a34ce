"""A relay as a process, to be stopped or killed. Arguments: bootstrap, ground's name, admin DSN."""

import asyncio
import sys

from integration.chassis.ground import Ground, Sender


async def main() -> None:
    async with Sender(Ground(*sys.argv[1:4]), "process").running():
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
