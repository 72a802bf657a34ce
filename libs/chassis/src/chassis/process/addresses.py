"""Check the form of addresses in settings before anything connects (ALL-3).

A client with a malformed address fails late, with a message of its own, at each attempt. Nothing here
connects. No error text repeats the address, which may hold a password.
"""

import re
from ipaddress import IPv6Address
from typing import Annotated
from urllib.parse import parse_qs, urlsplit

from pydantic import AfterValidator, SecretStr

PORT_MAX = 65_535
_DSN_FORM = "expected a connection string such as postgresql://USER:PASSWORD@HOST:5432/DATABASE"
_HOST_FORM = (
    "expected HOST or HOST:PORT after the @, several with commas between them, an IPv6 address in [],"
    " and special characters of a password as %XX"
)
_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")

# A host and an optional port. PostgreSQL's socket directory, percent-encoded, is a host too.
_HOST_AND_PORT = re.compile(r"(?:\[(?P<ipv6>[^\[\]]+)\]|(?P<host>[^\[\]:/@\s]+))(?::(?P<port>[^:]*))?")


def check_bootstrap(brokers: str) -> str:
    """Return Kafka's brokers without superfluous commas and spaces.

    A broker is a host or an IPv6 address, with or without a port.

    Raises:
        ValueError: a broker has another form; the text says what is expected.
    """
    addresses = [broker.strip() for broker in brokers.split(",") if broker.strip()]
    if not addresses or not all(map(_is_broker, addresses)):
        raise ValueError(
            "expected brokers such as kafka:9092, several with commas between them,"
            f" an IPv6 address in [], a port from 1 to {PORT_MAX}"
        )
    return ",".join(addresses)


def _is_broker(text: str) -> bool:
    if _is_ipv6(text):  # without a port, aiokafka also accepts an IPv6 address without brackets
        return True
    address = _HOST_AND_PORT.fullmatch(text)
    return (
        address is not None and _is_host(address) and (address["port"] is None or _is_port(address["port"]))
    )


def check_dsn(dsn: str) -> str:
    """Return a PostgreSQL connection string unchanged if a client can use it.

    It may hold several hosts, socket directories and parameters such as `sslmode`.

    Raises:
        ValueError: it is malformed, or holds an invalid port; the text says what is expected.
    """
    try:
        parts = urlsplit(dsn)
        parameters = parse_qs(parts.query, strict_parsing=True) if parts.query else {}
    except ValueError:
        raise ValueError(f"{_DSN_FORM}; {_HOST_FORM}") from None
    if parts.scheme not in {"postgresql", "postgres"}:
        raise ValueError(_DSN_FORM)
    servers = parts.netloc.partition("@")[2] if "@" in parts.netloc else parts.netloc
    if servers and not all(map(_is_server, servers.split(","))):
        raise ValueError(f"{_HOST_FORM}; a port is from 1 to {PORT_MAX}")
    _check_parameters({name: values[-1] for name, values in parameters.items()})
    return dsn


def _check_parameters(parameters: dict[str, str]) -> None:
    for server in parameters.get("host", "/").split(","):
        if not server.startswith("/") and not _is_server(server):
            raise ValueError(f"its parameter host: {_HOST_FORM}")
    if not all(map(_is_port, parameters.get("port", "1").split(","))):
        raise ValueError(f"its parameter port: expected ports from 1 to {PORT_MAX}")
    if parameters.get("sslmode", "prefer") not in _SSL_MODES:
        raise ValueError(f"its parameter sslmode: expected one of {', '.join(_SSL_MODES)}")


def _is_server(text: str) -> bool:
    address = _HOST_AND_PORT.fullmatch(text)
    # As in libpq, a colon with nothing behind it means the default port.
    return address is not None and _is_host(address) and (not address["port"] or _is_port(address["port"]))


def _is_host(address: re.Match[str]) -> bool:
    return address["ipv6"] is None or _is_ipv6(address["ipv6"])


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True


def _is_port(text: str) -> bool:
    return (
        text.isascii() and text.isdigit() and len(text) <= len(str(PORT_MAX)) and 1 <= int(text) <= PORT_MAX
    )


def _secret_dsn(dsn: SecretStr) -> SecretStr:
    check_dsn(dsn.get_secret_value())
    return dsn


Bootstrap = Annotated[str, AfterValidator(check_bootstrap)]
"""Type of a setting that holds Kafka's brokers."""

Dsn = Annotated[SecretStr, AfterValidator(_secret_dsn)]
"""Type of a setting that holds a PostgreSQL connection string."""
