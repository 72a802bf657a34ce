"""The four services, as data: what the stack needs to know to migrate, start and reach each of them."""

import sys
from dataclasses import dataclass

from plumbline.state_directory import HOST, StateDirectory


@dataclass(frozen=True, slots=True)
class Service:
    """One service: its name, the package that `python -m` runs, its port above the base."""

    name: str
    package: str
    port_offset: int
    has_database: bool

    @property
    def variables(self) -> str:
        """How its own variables begin, e.g. `WEBHOOK_GATEWAY`."""
        return self.package.upper()

    def port(self, directory: StateDirectory) -> int:
        """Where it listens."""
        return directory.port_base + self.port_offset

    def url(self, directory: StateDirectory) -> str:
        """Where its HTTP interface is reached."""
        return f"http://{HOST}:{self.port(directory)}"

    def command(self, verb: str) -> list[str]:
        """Return its command line: `serve` or `migrate`.

        Neither the working directory (`-P`) nor a user's own packages (`-s`) say what is imported; the
        caller's Python path is not passed on (`plumbline.variables`).
        """
        return [sys.executable, "-P", "-s", "-u", "-m", self.package, verb]


SERVICES: tuple[Service, ...] = (
    Service("webhook-gateway", "webhook_gateway", 0, has_database=False),
    Service("booking", "booking", 1, has_database=True),
    Service("audit", "audit", 2, has_database=True),
    Service("reconciler", "reconciler", 3, has_database=True),
)
