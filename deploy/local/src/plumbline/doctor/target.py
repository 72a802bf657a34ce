"""The target of the checks: the stack of the state directory, or the deployment of the environment."""

from collections.abc import Mapping
from dataclasses import dataclass

from chassis.kafka.connection import KafkaConnection
from plumbline import databases, deployment, dsn, stack_file
from plumbline.failure import StackError
from plumbline.state_directory import StateDirectory

SERVICE_URLS = {
    "webhook-gateway": "WEBHOOK_GATEWAY_URL",
    "booking": "BOOKING_URL",
    "audit": "AUDIT_URL",
    "reconciler": "RECONCILER_URL",
}
"""Variables with the URLs of a deployment's services. Services whose variable is unset are not checked."""


@dataclass(frozen=True, slots=True)
class Target:
    """Addresses of a deployment: connection strings by login role, base URLs by service."""

    kafka: KafkaConnection
    admin_dsn: str
    strings: Mapping[str, str]
    urls: Mapping[str, str]


def find(directory: StateDirectory, environ: Mapping[str, str]) -> Target:
    """Return the running stack of `directory`, or if none runs the deployment of the environment.

    Raises:
        StackError: no stack runs, and variables of a deployment are missing.
    """
    content = stack_file.read(directory.stack_file)
    if content is not None:
        return _from_stack(content)
    if dsn.ADMIN_VARIABLE not in environ:
        raise StackError(
            f"nothing runs from {directory.path}: start it with `plumbline up`, or name a deployment in"
            f" {dsn.ADMIN_VARIABLE}, KAFKA_BOOTSTRAP and the services' *_POSTGRES_DSN"
        )
    dsn.deployment(environ, databases.SERVICES)  # raises if a variable is missing
    strings = {service: environ[dsn.service_variable(service)] for service in databases.SERVICES}
    return Target(
        kafka=deployment.kafka_connection(),
        admin_dsn=environ[dsn.ADMIN_VARIABLE],
        strings={**strings, dsn.VIEWER: environ[dsn.VIEWER_VARIABLE]},
        urls={
            name: environ[variable].rstrip("/")
            for name, variable in SERVICE_URLS.items()
            if environ.get(variable)
        },
    )


def kafka_of(directory: StateDirectory, environ: Mapping[str, str]) -> KafkaConnection:
    """Return the Kafka of KAFKA_BOOTSTRAP, or if unset the Kafka of the running stack of `directory`.

    Raises:
        StackError: the variable is not set, and no stack runs.
    """
    content = None if "KAFKA_BOOTSTRAP" in environ else stack_file.read(directory.stack_file)
    return deployment.kafka_connection() if content is None else _from_stack(content).kafka


def _from_stack(content: stack_file.Content) -> Target:
    postgres: dict[str, str] = content["postgres"]
    security = {"security_protocol": "PLAINTEXT"}
    return Target(
        kafka=KafkaConnection(content["kafka_bootstrap"], content.get("topic_prefix", ""), security),
        admin_dsn=postgres["admin_dsn"],
        strings={role: postgres[f"{role}_dsn"] for role in databases.LOGIN_ROLES},
        urls=content["urls"],
    )
