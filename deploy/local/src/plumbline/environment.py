"""The variables that the stack's processes are started with."""

from collections.abc import Mapping
from pathlib import Path

from plumbline import databases, variables
from plumbline.credentials import LOG_ORIGIN, Credentials
from plumbline.services import Service
from plumbline.state_directory import HOST, StateDirectory

_FILE = "_FILE"


def addresses(
    directory: StateDirectory, members: tuple[Service, ...], strings: Mapping[str, str]
) -> dict[str, str]:
    """Where everything of this stack is. A caller's Kafka or database is never meant for it."""
    own = {f"{service.variables}_HOST": HOST for service in members}
    own |= {f"{service.variables}_PORT": str(service.port(directory)) for service in members}
    kafka = {"KAFKA_BOOTSTRAP": f"{HOST}:{directory.kafka_port}", "KAFKA_SECURITY_PROTOCOL": "PLAINTEXT"}
    return {**kafka, **own, **strings}


def defaults(directory: StateDirectory, secrets: Credentials) -> dict[str, str]:
    """What a caller may set otherwise: secrets, and where the audit log keeps key and checkpoints."""
    return {
        **secrets.environment(),
        "AUDIT_SIGNING_KEY_FILE": str(directory.signing_key.absolute()),
        "AUDIT_CHECKPOINT_DIR": str(directory.checkpoints.absolute()),
        "AUDIT_LOG_ORIGIN": LOG_ORIGIN,
    }


def merge(
    caller: Mapping[str, str], *, fixed: Mapping[str, str], fallback: Mapping[str, str]
) -> dict[str, str]:
    """`fixed` beats the caller's variables, which beat `fallback`.

    `NAME` and `NAME_FILE` are two ways to say one thing (interface.md): the caller's never meets our other.
    """
    passed_on = {name: value for name, value in caller.items() if name.removesuffix(_FILE) not in fixed}
    unspoken = {name: value for name, value in fallback.items() if not caller.get(_other_way(name))}
    return {**unspoken, **passed_on, **fixed}


def for_migration(service: Service, caller: Mapping[str, str], admin_dsn: str) -> dict[str, str]:
    """Return what `migrate` reads: an administrator of the service's database, who becomes its owner."""
    string = databases.migration_string(admin_dsn, service.package)
    return {**variables.for_migration(caller), **string}


def secret(environ: Mapping[str, str], name: str) -> str:
    """A secret as a service sees it; of several webhook secrets, separated by commas, the first."""
    written = environ.get(name, "")
    if not written and (path := environ.get(f"{name}{_FILE}")):
        written = Path(path).read_text(encoding="utf-8")
    return written.split(",")[0].strip()


def _other_way(name: str) -> str:
    return name.removesuffix(_FILE) if name.endswith(_FILE) else f"{name}{_FILE}"
