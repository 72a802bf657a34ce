"""Environment variables of the stack's processes."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from plumbline import databases, dsn, variables
from plumbline.credentials import LOG_ORIGIN, Credentials
from plumbline.services import Service
from plumbline.state_directory import HOST, StateDirectory

_FILE = "_FILE"


def addresses(
    directory: StateDirectory, members: tuple[Service, ...], strings: Mapping[str, str]
) -> dict[str, str]:
    """Return the addresses of this stack, which replace a Kafka or database of the caller's variables."""
    own = {f"{service.variables}_HOST": HOST for service in members}
    own |= {f"{service.variables}_PORT": str(service.port(directory)) for service in members}
    kafka = {"KAFKA_BOOTSTRAP": f"{HOST}:{directory.kafka_port}", "KAFKA_SECURITY_PROTOCOL": "PLAINTEXT"}
    return {**kafka, **own, **strings}


def defaults(directory: StateDirectory, secrets: Credentials) -> dict[str, str]:
    """Return values that a caller may override: secrets, and the audit log's key and checkpoints."""
    return {
        **secrets.environment(),
        "AUDIT_SIGNING_KEY_FILE": str(directory.signing_key.absolute()),
        "AUDIT_MLDSA_KEY_FILE": str(directory.mldsa_key.absolute()),
        "AUDIT_CHECKPOINT_DIR": str(directory.checkpoints.absolute()),
        "AUDIT_LOG_ORIGIN": LOG_ORIGIN,
    }


def merge(
    caller: Mapping[str, str], *, fixed: Mapping[str, str], fallback: Mapping[str, str]
) -> dict[str, str]:
    """Merge variables; `fixed` overrides the caller's variables, which override `fallback`.

    `NAME` and `NAME_FILE` set the same value (interface.md), so only one of the two is in the result.
    """
    passed_on = {name: value for name, value in caller.items() if name.removesuffix(_FILE) not in fixed}
    unset = {name: value for name, value in fallback.items() if not caller.get(_alternative_name(name))}
    return {**unset, **passed_on, **fixed}


def of_stack(
    directory: StateDirectory,
    caller: Mapping[str, str],
    admin_dsn: str,
    secrets: Credentials,
    members: Sequence[Service],
) -> dict[str, str]:
    """Return the variables of all services together, for these variables of the caller."""
    strings = databases.connection_strings(admin_dsn, secrets.passwords)
    return merge(
        caller,
        fixed=addresses(directory, tuple(members), strings),
        fallback=defaults(directory, secrets),
    )


def of_services(members: Sequence[Service], environ: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return the variables that each service receives of those of the stack."""
    return {service.name: variables.for_service(service, environ) for service in members}


def for_erasing(admin_dsn: str) -> dict[str, dict[str, str]]:
    """Return the variables of the commands that erase; their role can become the eraser of the database."""
    string = dsn.at_database(admin_dsn, databases.DATABASES["audit"])
    return {"audit-eraser": {dsn.eraser_variable("audit"): string}}


def for_migration(service: Service, caller: Mapping[str, str], admin_dsn: str) -> dict[str, str]:
    """Return the variables of `migrate`; its role is an administrator who can become the database's owner."""
    string = databases.migration_string(admin_dsn, service.package)
    return {**variables.for_migration(caller), **string}


def secret(environ: Mapping[str, str], name: str) -> str:
    """Return a secret from `name` or `<name>_FILE`; of comma-separated webhook secrets, the first."""
    path = file_of(environ, name)
    return first_secret(path) if path else _first(environ.get(name, ""))


def file_of(environ: Mapping[str, str], name: str) -> str:
    """Return the file that holds a secret; empty if the variable itself does."""
    return "" if environ.get(name) else environ.get(f"{name}{_FILE}", "")


def first_secret(path: str) -> str:
    """Return the first of the secrets in a file."""
    return _first(Path(path).read_text(encoding="utf-8"))


def _first(secrets: str) -> str:
    return secrets.split(",", maxsplit=1)[0].strip()


def _alternative_name(name: str) -> str:
    return name.removesuffix(_FILE) if name.endswith(_FILE) else f"{name}{_FILE}"
