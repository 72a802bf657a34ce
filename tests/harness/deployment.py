"""The deployment of a stack: databases and topics under their own prefix, and secrets."""

import base64
import os
import secrets
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient

from chassis.kafka.connection import KafkaConnection
from chassis.kafka.topics import apply_topics
from contracts.topics import TOPICS
from harness.infra import Infra
from harness.templates import make_databases
from plumbline import credentials, databases, waiting

# A service also needs the tables of these services to start: the reconciler reads a view of booking (REC-2).
_READS = {"reconciler": ("booking",)}

# Fixed passwords: roles belong to the whole server, and suites may share a server.
PASSWORDS = {role: f"for-tests-{role}" for role in databases.LOGIN_ROLES}


@dataclass(frozen=True, slots=True)
class Deployment:
    """Addresses of a stack. `secrets` are the webhook secrets stripe, sms_legacy and sms."""

    infra: Infra
    prefix: str
    directory: Path
    secrets: dict[str, str]

    @property
    def databases(self) -> dict[str, str]:
        """Return service → name of its database."""
        return databases.prefixed(f"{self.prefix}_")

    @property
    def topic_prefix(self) -> str:
        """Return the prefix of topics and consumer groups."""
        return f"{self.prefix}."

    def admin_dsn(self, service: str) -> str:
        """Return the superuser's connection string for a service's database."""
        return self.infra.admin_dsn(self.databases[service])

    def environment(self) -> dict[str, str]:
        """Return the variables of the stack's processes. Of the caller's environment only PATH is kept."""
        return {
            "PATH": os.environ["PATH"],
            "KAFKA_BOOTSTRAP": self.infra.kafka_bootstrap,
            "TOPIC_PREFIX": self.topic_prefix,
            **databases.connection_strings(self.infra.admin_dsn(), PASSWORDS, databases=self.databases),
            "AUDIT_ERASER_POSTGRES_DSN": self.admin_dsn("audit"),
            "STRIPE_WEBHOOK_SECRET": self.secrets["stripe"],
            "OPENPHONE_WEBHOOK_SECRET": self.secrets["sms_legacy"],
            "QUO_WEBHOOK_SECRET": self.secrets["sms"],
            "AUDIT_SIGNING_KEY_FILE": str(self.directory / "audit-signing.key"),
            "AUDIT_MLDSA_KEY_FILE": str(self.directory / "audit-mldsa.key"),
            "AUDIT_CHECKPOINT_DIR": str(self.directory / "checkpoints"),
            "AUDIT_LOG_ORIGIN": credentials.LOG_ORIGIN,
        }


@asynccontextmanager
async def deploy(
    infra: Infra, directory: Path, services: Iterable[str], *, unmigrated: bool = False
) -> AsyncGenerator[Deployment]:
    """Create topics, and migrated databases for `services` and the services they read (default: all).

    If `unmigrated`, the other services have databases without tables.
    """
    deployment = Deployment(infra, f"t{secrets.token_hex(4)}", directory, draw_secrets())
    (directory / "checkpoints").mkdir()
    credentials.ensure_signing_keys(
        {"ed25519": directory / "audit-signing.key", "ml-dsa-44": directory / "audit-mldsa.key"}
    )
    topics = KafkaConnection(infra.kafka_bootstrap, deployment.topic_prefix, {})
    await waiting.gather_or_cancel(
        _databases(deployment, set(services), unmigrated=unmigrated), apply_topics(topics, TOPICS)
    )
    try:
        yield deployment
    finally:
        await waiting.gather_or_cancel(_drop_databases(deployment), _delete_topics(deployment))


async def _databases(deployment: Deployment, services: set[str], *, unmigrated: bool) -> None:
    migrated = services.union(*(_READS.get(service, ()) for service in services)) or set(databases.SERVICES)
    names = {service: name for service, name in deployment.databases.items() if service in migrated}
    await make_databases(deployment.infra, names, PASSWORDS)
    if unmigrated:  # each takes 0.1 s of CPU to create and to drop
        empty = {service: name for service, name in deployment.databases.items() if service not in migrated}
        await databases.provision(deployment.infra.admin_dsn(), PASSWORDS, databases=empty)


async def _drop_databases(deployment: Deployment) -> None:
    admin = await asyncpg.connect(deployment.infra.admin_dsn())
    try:
        for name in deployment.databases.values():
            await admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    finally:
        await admin.close()


async def _delete_topics(deployment: Deployment) -> None:
    # Each remaining partition makes later restarts of the broker slower.
    kafka = AIOKafkaAdminClient(bootstrap_servers=deployment.infra.kafka_bootstrap)
    await kafka.start()
    try:
        await kafka.delete_topics([deployment.topic_prefix + card.name for card in TOPICS])
    finally:
        await kafka.close()


def draw_secrets() -> dict[str, str]:
    """Return new webhook secrets in the providers' formats."""
    key, legacy_key = (base64.b64encode(secrets.token_bytes(32)).decode() for _ in range(2))
    return {"stripe": f"whsec_{secrets.token_hex(32)}", "sms_legacy": legacy_key, "sms": f"whsec_{key}"}
