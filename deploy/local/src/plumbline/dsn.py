"""PostgreSQL connection strings: parsing, composition, and the variables that hold them."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

from chassis.process.addresses import check_dsn
from plumbline.failure import StackError

ADMIN_VARIABLE = "POSTGRES_ADMIN_DSN"
VIEWER = "reconciler_booking_view"
VIEWER_VARIABLE = "RECONCILER_BOOKING_VIEW_DSN"


def service_variable(service: str) -> str:
    """Return the variable of a service's connection string, e.g. `BOOKING_POSTGRES_DSN`."""
    return f"{service.upper()}_POSTGRES_DSN"


def migrations_variable(service: str) -> str:
    """Return the variable of a role that may become the database's owner, e.g. `BOOKING_MIGRATIONS_DSN`."""
    return f"{service.upper()}_MIGRATIONS_DSN"


def eraser_variable(service: str) -> str:
    """Return the variable of a role that may become a service's eraser, e.g. `AUDIT_ERASER_POSTGRES_DSN`."""
    return f"{service.upper()}_ERASER_POSTGRES_DSN"


def at_database(dsn: str, database: str) -> str:
    """Return `dsn` with another database."""
    return urlsplit(dsn)._replace(path=f"/{quote(database)}").geturl()


def as_role(dsn: str, role: str, password: str) -> str:
    """Return `dsn` with another user and password."""
    parts = urlsplit(dsn)
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{quote(role, safe='')}:{quote(password, safe='')}@{host}").geturl()


def for_services(
    admin_dsn: str, passwords: Mapping[str, str], databases: Mapping[str, str], *, viewed: str
) -> dict[str, str]:
    """Return variable → connection string for every service and the reconciler's view of `viewed`."""
    strings = {
        service_variable(service): as_role(at_database(admin_dsn, database), service, passwords[service])
        for service, database in databases.items()
    }
    view = as_role(at_database(admin_dsn, databases[viewed]), VIEWER, passwords[VIEWER])
    return strings | {VIEWER_VARIABLE: view}


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment's variables: passwords by login role, database names by service."""

    admin_dsn: str
    passwords: dict[str, str]
    databases: dict[str, str]


def deployment(environ: Mapping[str, str], services: tuple[str, ...]) -> Deployment:
    """Read `POSTGRES_ADMIN_DSN` and every service's connection string.

    Raises:
        StackError: a connection string is missing, malformed, without password or of another role.
    """
    # Role names are fixed, because migrations grant rights to them.
    parsed = {service: _parse(environ, service_variable(service), service) for service in services}
    view = _parse(environ, VIEWER_VARIABLE, VIEWER)
    passwords = {service: password for service, (password, _) in parsed.items()}
    return Deployment(
        admin_dsn=_required(environ, ADMIN_VARIABLE),
        passwords=passwords | {VIEWER: view[0]},
        databases={service: database for service, (_, database) in parsed.items()},
    )


def _parse(environ: Mapping[str, str], variable: str, role: str) -> tuple[str, str]:
    parts = urlsplit(_required(environ, variable))
    if parts.username != role:
        raise StackError(f"{variable}: its user must be {role!r}: migrations grant rights to this role")
    if not parts.password or not parts.path.strip("/"):
        raise StackError(f"{variable}: expected postgresql://{role}:PASSWORD@HOST:PORT/DATABASE")
    return unquote(parts.password), unquote(parts.path.strip("/"))


def _required(environ: Mapping[str, str], variable: str) -> str:
    value = environ.get(variable)
    if not value:
        raise StackError(
            f"{variable} is not set: set it to a connection string (postgresql://USER:PASSWORD@HOST/DB)"
        )
    try:
        return check_dsn(value)
    except ValueError as error:
        raise StackError(f"{variable}: {error}") from None
