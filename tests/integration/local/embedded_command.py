"""`plumbline up` with minimal services: `embedded_command.py [--detach] SERVICE…`."""

import asyncio
import os
import sys

from rich.console import Console

from plumbline import state_directory
from plumbline.failure import StackError
from plumbline.services import Service
from plumbline.up import up


class Tiny(Service):
    """A minimal service, in a folder that the test names."""

    def command(self, verb: str) -> list[str]:
        return [sys.executable, f"{os.environ['TINY_PACKAGES']}/{self.package}", verb]


names = [word for word in sys.argv[1:] if not word.startswith("--")]
members = tuple(Tiny(name, name, number, has_database=False) for number, name in enumerate(names))
try:
    good = asyncio.run(
        up(
            state_directory.from_environment(os.environ),
            detach="--detach" in sys.argv,
            environ=os.environ,
            console=Console(),
            members=members,
        )
    )
except StackError as error:
    sys.stderr.write(f"{error}\n")
    sys.exit(2)
sys.exit(0 if good else 1)
