"""Selection of environment variables: a process receives the variables it reads, and no secret of another.

The names are those of interface.md. A test compares them with the services' settings.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

_FILE = "_FILE"
_SOURCES_FILE = "WEBHOOK_SOURCES_FILE"

_SYSTEM = ("PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TMPDIR", "LD_LIBRARY_PATH")
_SYSTEM_PREFIXES = ("LC_", "XDG_", "SSL_CERT_")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")

_COMMON = (
    *("ENVIRONMENT", "HTTP_HOSTS", "TOPIC_PREFIX", "START_SECONDS_MAX", "STOP_SECONDS_MAX"),
    *("BUSINESS_TIME_ZONE", "REQUIRE_IF_MATCH", "STRIPE_MODE", "STRIPE_ACCOUNT"),
)
_COMMON_PREFIXES = ("KAFKA_", "LOG_", "OTEL_")

_TOKENS, _DELIVERY = "AUTH_", ("INBOX_", "RELAY_")
# Variables of single services; a name that ends in `_` is a prefix.
_OWN: Mapping[str, tuple[str, ...]] = {
    "webhook-gateway": (
        *("WEBHOOK_", "GATEWAY_", "ENABLE_WEBHOOK_VALIDATION", "ALLOW_UNVALIDATED_WEBHOOKS"),
        *("STRIPE_WEBHOOK_SECRET", "OPENPHONE_WEBHOOK_SECRET", "QUO_WEBHOOK_SECRET"),
    ),
    "booking": (
        *("BOOKING_", "BUSINESS_COUNTRY", "STRIPE_API_KEY", "STRIPE_API_BASE"),
        *(_TOKENS, *_DELIVERY),
    ),
    "audit": ("AUDIT_", _TOKENS, *_DELIVERY),
    "reconciler": ("RECONCILER_", "STRIPE_API_KEY", "STRIPE_API_BASE", _TOKENS, *_DELIVERY),
}

_JAVA = ("JAVA_HOME", "JAVA_TOOL_OPTIONS", "KAFKA_HEAP_OPTS", "KAFKA_OPTS", "KAFKA_JVM_PERFORMANCE_OPTS")
# Connection strings of commands, which no service may have.
_OF_COMMANDS = ("_MIGRATIONS_DSN", "_ERASER_POSTGRES_DSN")


class VariableOwner(Protocol):
    """A service: its name, and the prefix of its variables."""

    @property
    def name(self) -> str:
        """Name of the service in interface.md."""
        ...

    @property
    def variables(self) -> str:
        """Prefix of the variables, e.g. `WEBHOOK_GATEWAY`."""
        ...


def for_service(service: VariableOwner, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of `environ` that a service reads, each also as `<NAME>_FILE`."""
    own = (*_OWN.get(service.name, (f"{service.variables}_",)), *_secrets_of_sources(service, environ))
    names = {*_COMMON, *(name for name in own if not name.endswith("_"))}
    prefixes = (*_COMMON_PREFIXES, *(name for name in own if name.endswith("_")))
    read = {
        name: value
        for name, value in environ.items()
        if (name.removesuffix(_FILE) in names or name.startswith(prefixes))
        and not name.endswith(_OF_COMMANDS)
    }
    return {**for_system(environ), **read}


def for_migration(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that `migrate` reads besides its connection string."""
    read = {name: value for name, value in environ.items() if name in _COMMON or name.startswith("LOG_")}
    return {**for_system(environ), **read}


def for_kafka(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that a Java process receives."""
    return {**for_system(environ), **{name: environ[name] for name in _JAVA if name in environ}}


def for_system(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that every program on this machine needs."""
    names = {*_SYSTEM, *_PROXIES}
    return {n: value for n, value in environ.items() if n in names or n.startswith(_SYSTEM_PREFIXES)}


def _secrets_of_sources(service: VariableOwner, environ: Mapping[str, str]) -> list[str]:
    """Return the secret variables of the gateway's sources file; none if the file cannot be read."""
    # The gateway reports errors of the file.
    path = environ.get(_SOURCES_FILE)
    if service.name != "webhook-gateway" or not path:
        return []
    try:
        sources = tomllib.loads(Path(path).read_text(encoding="utf-8-sig"))["sources"].values()
        return [each["secret_variable"] for source in sources for each in source["accept"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return []
