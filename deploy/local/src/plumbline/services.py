"""The four services as data: name, package, port and whether a service has a database."""

import sys
from dataclasses import dataclass

from plumbline.state_directory import HOST, StateDirectory


@dataclass(frozen=True, slots=True)
class Service:
    """One service: name, package for `python -m`, port relative to the port base."""

    name: str
    package: str
    port_offset: int
    has_database: bool

    @property
    def variables(self) -> str:
        """Prefix of the service's variables, e.g. `WEBHOOK_GATEWAY`."""
        return self.package.upper()

    def port(self, directory: StateDirectory) -> int:
        return directory.port_base + self.port_offset

    def url(self, directory: StateDirectory) -> str:
        return f"http://{HOST}:{self.port(directory)}"

    def command(self, verb: str) -> list[str]:
        """Return the command line of `serve` or `migrate`."""
        # Nothing is imported from the working directory (-P) or the user's site packages (-s).
        # `plumbline.variables` does not pass on the caller's PYTHONPATH.
        return [sys.executable, "-P", "-s", "-u", "-m", self.package, verb]


SERVICES: tuple[Service, ...] = (
    Service("webhook-gateway", "webhook_gateway", 0, has_database=False),
    Service("booking", "booking", 1, has_database=True),
    Service("audit", "audit", 2, has_database=True),
    Service("reconciler", "reconciler", 3, has_database=True),
)
