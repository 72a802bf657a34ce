"""The whole system on one machine: Kafka and PostgreSQL start concurrently, then the services."""

from collections.abc import Mapping
from functools import cached_property
from typing import Protocol

from chassis.kafka.connection import KafkaConnection
from chassis.kafka.topics import apply_topics
from plumbline import (
    credentials,
    databases,
    deployment,
    disk,
    environment,
    ports,
    stack_file,
    started_with,
    variables,
)
from plumbline.credentials import LOG_ORIGIN, Credentials
from plumbline.kafka import CONTROLLER_PORT_OFFSET, EmbeddedKafka
from plumbline.ledger import Ledger
from plumbline.postgres import EmbeddedPostgres
from plumbline.processes import Process
from plumbline.service_process import ServiceProcess
from plumbline.services import SERVICES, Service
from plumbline.state_directory import STATE_VARIABLE, StateDirectory
from plumbline.waiting import gather_or_cancel, gather_to_end

READY = "ready"
_MIGRATE_SECONDS_MAX = 120.0
_FREE_BYTES_MIN = 256 * 1024 * 1024


class Observer(Protocol):
    """Observer of a start."""

    def phase(self, component: str, text: str) -> None:
        """Show the current phase of `component`."""

    def download(self, bytes_done: int, bytes_total: int) -> None:
        """Show the progress of Kafka's download."""


class Stack:
    """All components; the caller holds the lock of the state directory (`recovery.exclusive`).

    Args:
        directory: state directory and ports.
        environ: the caller's variables for the services; they override generated values.
        ledger: ledger of the same state directory, without leftovers.
        observer: receives phases and download progress.
        members: the services to run.
    """

    def __init__(
        self,
        directory: StateDirectory,
        *,
        environ: Mapping[str, str],
        ledger: Ledger,
        observer: Observer,
        members: tuple[Service, ...] = SERVICES,
    ) -> None:
        self._directory = directory
        self._caller = environ
        self._ledger = ledger
        self._observer = observer
        self._members = members
        self._kafka = EmbeddedKafka(
            directory.kafka,
            directory.kafka_port,
            log_path=directory.log("kafka"),
            ledger=ledger,
            report=observer.download,
        )
        self._postgres = EmbeddedPostgres(
            directory.postgres, directory.postgres_port, log_path=directory.log("postgres"), ledger=ledger
        )
        self._services: dict[str, ServiceProcess] = {}

    async def start(self) -> None:
        """Start all components, wait until they are ready, and write `stack.json`.

        Raises:
            StackError: a component cannot start; no process is left running.
        """
        self._prepare()
        try:
            await gather_or_cancel(self._start_kafka(), self._start_postgres())
            await gather_or_cancel(*(self._start_service(service) for service in self._members))
            self._publish()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop all components, services first; data are kept."""
        self._directory.stack_file.unlink(missing_ok=True)
        self._directory.environments.unlink(missing_ok=True)
        await gather_to_end(*(service.stop() for service in self._services.values()))
        await gather_to_end(self._kafka.stop(), self._postgres.stop())

    def log_tail(self, component: str) -> str:
        """Return the end of a component's log."""
        servers = {"kafka": self._kafka, "postgres": self._postgres}
        process = servers[component].process if component in servers else self._services[component]
        return process.log_tail()

    def _prepare(self) -> None:
        directory = self._directory
        ports.require_free(self._ports())
        disk.require_free_space(directory.path, free_bytes_min=_FREE_BYTES_MIN, variable=STATE_VARIABLE)
        directory.stack_file.unlink(missing_ok=True)
        for folder in (directory.checkpoints, directory.log("any").parent):
            folder.mkdir(parents=True, exist_ok=True)
        credentials.ensure_signing_keys(
            {"ed25519": directory.signing_key, "ml-dsa-44": directory.mldsa_key},
            self._caller.get("AUDIT_LOG_ORIGIN") or LOG_ORIGIN,
        )

    @cached_property
    def _credentials(self) -> Credentials:
        return credentials.load(self._directory.credentials)

    def _ports(self) -> dict[str, int]:
        return {service.name: service.port(self._directory) for service in self._members} | {
            "kafka": self._directory.kafka_port,
            "postgres": self._directory.postgres_port,
            "kafka's quorum": self._directory.kafka_port + CONTROLLER_PORT_OFFSET,
        }

    async def _start_kafka(self) -> None:
        self._observer.phase("kafka", "starting")
        await self._kafka.start()
        self._observer.phase("kafka", "topics")
        prefix = self._caller.get("TOPIC_PREFIX", "")
        connection = KafkaConnection(self._kafka.bootstrap, prefix, {"security_protocol": "PLAINTEXT"})
        await apply_topics(connection, deployment.topics(self._caller))
        self._observer.phase("kafka", READY)

    async def _start_postgres(self) -> None:
        self._observer.phase("postgres", "starting")
        await self._postgres.start()
        self._observer.phase("postgres", "databases")
        await databases.provision(self._postgres.admin_dsn, self._credentials.passwords)
        self._observer.phase("postgres", "migrations")
        await gather_or_cancel(*(self._migrate(service) for service in self._members if service.has_database))
        self._observer.phase("postgres", READY)

    async def _migrate(self, service: Service) -> None:
        name = f"{service.name}-migrate"
        await Process(
            name,
            service.command("migrate"),
            environment=environment.for_migration(service, self._caller, self._postgres.admin_dsn),
            log_path=self._directory.log(name),
            ledger=self._ledger,
        ).run(seconds_max=_MIGRATE_SECONDS_MAX)

    async def _start_service(self, service: Service) -> None:
        self._observer.phase(service.name, "starting")
        process = self._services[service.name] = ServiceProcess(
            service.name,
            service.command("serve"),
            variables.for_service(service, self._environment),
            self._directory.log(service.name),
            f"{service.url(self._directory)}/health/ready",
            ledger=self._ledger,
        )
        await process.start()
        self._observer.phase(service.name, READY)

    @cached_property
    def _environment(self) -> dict[str, str]:
        """Variables of all services together; PostgreSQL must run."""
        return environment.of_stack(
            self._directory, self._caller, self._postgres.admin_dsn, self._credentials, self._members
        )

    def _publish(self) -> None:
        processes = {name: service.pid for name, service in self._services.items()}
        content = stack_file.describe(
            self._directory,
            self._members,
            pids={**processes, "kafka": self._kafka.pid, "postgres": self._postgres.pid},
            admin_dsn=self._postgres.admin_dsn,
            environ=self._environment,
        )
        environments = environment.of_services(self._members, self._environment)
        erasing = environment.for_erasing(self._postgres.admin_dsn)
        started_with.write(self._directory.environments, environments | erasing)
        stack_file.write(self._directory.stack_file, content)
