"""The stack of docker-compose.yml, as a compose project with its own ports and images."""

import json
import os
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from harness.deliveries import Deliver
from harness.deployment import draw_secrets
from harness.ports import free_port
from harness.processes import run
from harness.stack import http_client

SERVICES = ("webhook-gateway", "booking", "audit", "reconciler")
ONCE = ("topics", "databases", "booking-migrate", "audit-migrate", "reconciler-migrate")
IMAGES = ("setup", *SERVICES)

_ROOT = Path(__file__).parents[2]
_FILE = _ROOT / "docker-compose.yml"
_DEVELOPMENT = _ROOT / "deploy/compose.development.env"
_PORTS = {name: f"{name.upper().replace('-', '_')}_PORT" for name in SERVICES}
_READY_SECONDS_MAX = 180
_COMMAND_SECONDS_MAX = 900.0


class CommandFailedError(Exception):
    """A docker command failed; the message is its error output."""


async def docker(*arguments: str, env: dict[str, str] | None = None) -> str:
    """Run a docker command and return its output."""
    finished = await run(["docker", *arguments], env or dict(os.environ), seconds_max=_COMMAND_SECONDS_MAX)
    if finished.exit_code != 0:
        raise CommandFailedError(f"docker {' '.join(arguments)}: {finished.stderr[-4000:]}")
    return finished.stdout


class ComposeStack:
    """A compose project, up or down. `deliver` and `url` use its published ports."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        name = f"plumbline-test-{secrets.token_hex(4)}"
        drawn = draw_secrets()
        self.project = name
        self.http = http
        self.deliver = Deliver(http, drawn, lambda: self.url("webhook-gateway"))
        self._ports = {service: free_port() for service in SERVICES}
        self._env = {
            **{k: v for k, v in os.environ.items() if k.startswith("DOCKER_") or k in {"PATH", "HOME"}},
            **{_PORTS[service]: str(port) for service, port in self._ports.items()},
            "KAFKA_PORT": str(free_port()),
            "POSTGRES_PORT": str(free_port()),
            "PLUMBLINE_TAG": name,
            "STRIPE_WEBHOOK_SECRET": drawn["stripe"],
            "OPENPHONE_WEBHOOK_SECRET": drawn["sms_legacy"],
            "QUO_WEBHOOK_SECRET": drawn["sms"],
        }

    def url(self, service: str) -> str:
        """Return a service's base URL on this machine."""
        return f"http://127.0.0.1:{self._ports[service]}"

    async def compose(self, *arguments: str) -> str:
        """Run `docker compose` for this project and return its output."""
        files = ("--file", str(_FILE), "--env-file", str(_DEVELOPMENT))
        project = ("--project-name", self.project, *files)
        return await docker("compose", *project, *arguments, env=self._env)

    async def up(self) -> None:
        """Start everything and wait until the four services are healthy."""
        wait = ("--detach", "--wait", "--wait-timeout", str(_READY_SECONDS_MAX))
        try:
            await self.compose("up", *wait, *SERVICES)
        except CommandFailedError as error:
            logs = await self.compose("logs", "--no-color", "--tail", "25")
            raise CommandFailedError(f"{error}\n{logs}") from error

    async def container(self, service: str) -> dict[str, Any]:
        """Return `docker inspect` of a service's container, also of an exited one."""
        identity = (await self.compose("ps", "--all", "--quiet", service)).strip()
        return json.loads(await docker("inspect", identity))[0]

    async def leftovers(self) -> str:
        """Return the ids of this project's containers, volumes and networks, empty if none is left."""
        label = f"label=com.docker.compose.project={self.project}"
        lists = [("ps", "--all"), ("volume", "ls"), ("network", "ls")]
        return "".join([await docker(*words, "--quiet", "--filter", label) for words in lists])

    async def remove(self) -> None:
        """Remove the project's containers, data, networks and images."""
        await self.compose("down", "--volumes", "--timeout", "20")
        built = await docker("images", "--quiet", "--filter", f"reference=plumbline/*:{self.project}")
        if built:
            await docker("image", "rm", *(f"plumbline/{image}:{self.project}" for image in IMAGES))


@asynccontextmanager
async def compose_stack() -> AsyncGenerator[ComposeStack]:
    """Build and start the stack of this work tree, and remove it at the end. A leftover is an error."""
    async with http_client() as http:
        stack = ComposeStack(http)
        try:
            await stack.compose("build")
            await stack.up()
            yield stack
        finally:
            await stack.remove()
        if leftovers := await stack.leftovers():
            raise CommandFailedError(f"left after down: {leftovers}")
