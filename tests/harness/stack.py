"""A stack: databases, topics and service processes of a test module or a session."""

import tempfile
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx

from harness.databases import TestDatabase
from harness.deliveries import Deliver
from harness.deployment import PASSWORDS, Deployment, deploy
from harness.infra import Infra
from harness.logs import LOGS
from harness.ports import free_port
from harness.processes import Finished, Running, run_program
from harness.sessions import sharing
from harness.topics import TestTopic
from plumbline import waiting
from plumbline.service_process import answers_ok, loopback_client
from plumbline.services import SERVICES, Service

_SERVICES: Mapping[str, Service] = {service.name: service for service in SERVICES}
_HTTP_SECONDS_MAX = 20.0

Environment = Mapping[str, str]


class Stack:
    """A test's handle of a stack; see README.md."""

    def __init__(self, deployment: Deployment, http: httpx.AsyncClient, env: Environment) -> None:
        self._deployment = deployment
        self._env = env
        self._running: list[Running] = []
        self.prefix = deployment.prefix
        self.secrets = deployment.secrets
        self.deliver = Deliver(http, deployment.secrets, lambda: self.url("webhook-gateway"))

    def services(self, name: str) -> list[Running]:
        """Return the processes of a service, in order of their start."""
        return [running for running in self._running if running.name == name]

    def url(self, name: str) -> str:
        """Return the base URL of a service's first running process."""
        for running in self.services(name):
            if running.running:
                return running.url
        raise LookupError(
            f"no {name} is running in this stack: start_services(infra, {name!r}, …) starts one"
        )

    async def ready(self, *names: str) -> bool:
        """Return whether all running processes of the named services are ready (default: all services)."""
        processes = [r for r in self._running if r.running and (not names or r.name in names)]
        async with loopback_client() as client:
            return all([await answers_ok(client, running.ready_url) for running in processes])

    def environment(self, env: Environment | None = None) -> dict[str, str]:
        """Return the variables of this stack's processes, without host and port."""
        return {**self._deployment.environment(), **self._env, **(env or {})}

    async def start(
        self,
        name: str,
        env: Environment | None = None,
        *,
        arguments: Sequence[str] = (),
        ready: bool = True,
    ) -> Running:
        """Start a further process of a service, `serve` with `arguments`. If `ready`, wait for it."""
        service = _SERVICES[name]
        port = free_port()
        number = len(self.services(name)) + 1
        log = self._deployment.directory / f"{self.prefix}-{name}-{number}.log"
        LOGS.watch(log)
        variables = {
            f"{service.variables}_HOST": "127.0.0.1",
            f"{service.variables}_PORT": str(port),
            **self.environment(env),
        }
        url = f"http://127.0.0.1:{port}"
        running = Running(name, service.package, ["serve", *arguments], variables, log, url)
        self._running.append(running)
        if ready:
            await running.start()
        else:
            running.spawn()
        return running

    async def run(
        self,
        name: str,
        *arguments: str,
        env: Environment | None = None,
        stdin: bytes | None = None,
        typed: bytes | None = None,
    ) -> Finished:
        """Run a command of a service to its end, e.g. `run("reconciler", "runs", "--json")`.

        `typed` is the input from a terminal, in place of `stdin`.
        """
        package = _SERVICES[name].package
        return await run_program(package, arguments, self.environment(env), stdin=stdin, typed=typed)

    def database(self, service: str) -> TestDatabase:
        return TestDatabase(self._deployment.admin_dsn(service), PASSWORDS)

    def topic(self, name: str) -> TestTopic:
        """Return the topic with this name on its card."""
        deployment = self._deployment
        return TestTopic(deployment.infra.kafka_bootstrap, deployment.topic_prefix + name)

    async def stop(self) -> None:
        """Stop all processes."""
        await waiting.gather_or_cancel(*(running.stop() for running in self._running))


@asynccontextmanager
async def start_services(
    infra: Infra, *names: str, env: Environment | None = None, unmigrated: bool = False
) -> AsyncGenerator[Stack]:
    """Start a stack with the named services. Without names it has only databases and topics.

    If `unmigrated`, services that are not named have databases without tables; else they have none.
    """
    async with AsyncExitStack() as stay:
        directory = Path(stay.enter_context(tempfile.TemporaryDirectory(prefix="plumbline-stack-")))
        http = await stay.enter_async_context(http_client())
        deployment = await stay.enter_async_context(deploy(infra, directory, names, unmigrated=unmigrated))
        await stay.enter_async_context(sharing(*map(deployment.admin_dsn, deployment.databases)))
        stack = Stack(deployment, http, env or {})
        stay.push_async_callback(stack.stop)
        await waiting.gather_or_cancel(*(stack.start(name) for name in names))
        yield stack


def http_client() -> httpx.AsyncClient:
    """Return a client with a time limit and without proxies."""
    return httpx.AsyncClient(timeout=_HTTP_SECONDS_MAX, trust_env=False)
