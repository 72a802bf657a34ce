"""The whole system on one machine: Kafka and PostgreSQL side by side, then the services."""

from collections.abc import Mapping
from functools import cached_property
from typing import Protocol

from chassis.kafka import KafkaConnection
from chassis.kafka.topics import apply_topics
from plumbline import (
    credentials,
    databases,
    deployment,
    disk,
    environment,
    ports,
    stack_file,
    variables,
)
from plumbline.credentials import LOG_ORIGIN, Credentials
from plumbline.kafka import CONTROLLER_PORT_OFFSET, EmbeddedKafka
from plumbline.ledger import Ledger
from plumbline.place import STATE_VARIABLE, Place
from plumbline.postgres import EmbeddedPostgres
from plumbline.processes import Process
from plumbline.service_process import ServiceProcess
from plumbline.services import SERVICES, Service
from plumbline.waiting import all_ended, together

READY = "ready"
_MIGRATE_SECONDS_MAX = 120.0
_FREE_BYTES_MIN = 256 * 1024 * 1024


class Observer(Protocol):
    """Whoever watches a start."""

    def phase(self, part: str, text: str) -> None:
        """`part` is now doing what `text` says."""

    def download(self, bytes_done: int, bytes_total: int) -> None:
        """So much of Kafka has been fetched."""


class Stack:
    """Starts and stops everything; the caller holds the state directory (`recovery.exclusive`).

    Args:
        place: state directory and ports.
        environ: the caller's variables; the services get them, and they beat what is generated.
        ledger: of the same state directory, without leftovers.
        observer: is told what happens.
        members: the services to run.
    """

    def __init__(
        self,
        place: Place,
        *,
        environ: Mapping[str, str],
        ledger: Ledger,
        observer: Observer,
        members: tuple[Service, ...] = SERVICES,
    ) -> None:
        self._place = place
        self._caller = environ
        self._ledger = ledger
        self._observer = observer
        self._members = members
        self._kafka = EmbeddedKafka(
            place.kafka,
            place.kafka_port,
            log_path=place.log("kafka"),
            ledger=ledger,
            report=observer.download,
        )
        self._postgres = EmbeddedPostgres(
            place.postgres, place.postgres_port, log_path=place.log("postgres"), ledger=ledger
        )
        self._services: dict[str, ServiceProcess] = {}

    async def start(self) -> None:
        """Return when all of it is ready and `stack.json` says so.

        `StackError` otherwise, and then nothing of it is left running.
        """
        self._prepare()
        try:
            await together(self._start_kafka(), self._start_postgres())
            await together(*(self._start_service(service) for service in self._members))
            self._publish()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop everything, services first; data are kept."""
        self._place.stack_file.unlink(missing_ok=True)
        await all_ended(*(service.stop() for service in self._services.values()))
        await all_ended(self._kafka.stop(), self._postgres.stop())

    def last_words(self, part: str) -> str:
        """The end of the log of one part."""
        servers = {"kafka": self._kafka, "postgres": self._postgres}
        process = servers[part].process if part in servers else self._services[part]
        return process.last_words()

    def _prepare(self) -> None:
        place = self._place
        ports.require_free(self._ports())
        disk.require_room(place.state, free_bytes_min=_FREE_BYTES_MIN, variable=STATE_VARIABLE)
        place.stack_file.unlink(missing_ok=True)
        for folder in (place.checkpoints, place.log("any").parent):
            folder.mkdir(parents=True, exist_ok=True)
        credentials.ensure_signing_key(place.signing_key, self._caller.get("AUDIT_LOG_ORIGIN") or LOG_ORIGIN)

    @cached_property
    def _credentials(self) -> Credentials:
        return credentials.load(self._place.credentials)

    def _ports(self) -> dict[str, int]:
        return {service.name: service.port(self._place) for service in self._members} | {
            "kafka": self._place.kafka_port,
            "postgres": self._place.postgres_port,
            "kafka's quorum": self._place.kafka_port + CONTROLLER_PORT_OFFSET,
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
        await together(*(self._migrate(service) for service in self._members if service.has_database))
        self._observer.phase("postgres", READY)

    async def _migrate(self, service: Service) -> None:
        name = f"{service.name}-migrate"
        await Process(
            name,
            service.command("migrate"),
            environment=environment.for_migration(service, self._caller, self._postgres.admin_dsn),
            log_path=self._place.log(name),
            ledger=self._ledger,
        ).run(seconds_max=_MIGRATE_SECONDS_MAX)

    async def _start_service(self, service: Service) -> None:
        self._observer.phase(service.name, "starting")
        process = self._services[service.name] = ServiceProcess(
            service.name,
            service.command("serve"),
            variables.for_service(service, self._environment()),
            self._place.log(service.name),
            f"{service.url(self._place)}/health/ready",
            ledger=self._ledger,
        )
        await process.start()
        self._observer.phase(service.name, READY)

    def _environment(self) -> dict[str, str]:
        strings = databases.connection_strings(self._postgres.admin_dsn, self._credentials.passwords)
        return environment.merge(
            self._caller,
            fixed=environment.addresses(self._place, self._members, strings),
            fallback=environment.defaults(self._place, self._credentials),
        )

    def _publish(self) -> None:
        processes = {name: service.pid for name, service in self._services.items()}
        content = stack_file.describe(
            self._place,
            self._members,
            pids={**processes, "kafka": self._kafka.pid, "postgres": self._postgres.pid},
            admin_dsn=self._postgres.admin_dsn,
            environ=self._environment(),
        )
        stack_file.write(self._place.stack_file, content)
