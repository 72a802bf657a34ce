"""The form of addresses in settings, looked at before anything connects (ALL-3).

A client that is given a wrong one fails late, in its own words, and again with each attempt. Whether anybody
answers at an address of the right form is for connecting to find out. No text here repeats what it was given:
there may be a password in it.
"""

import re
from ipaddress import IPv6Address
from typing import Annotated
from urllib.parse import parse_qs, urlsplit

from pydantic import AfterValidator, SecretStr

PORT_MAX = 65_535
_DSN_FORM = "expected a connection string such as postgresql://USER:PASSWORD@HOST:5432/DATABASE"
_PLACE_FORM = (
    "expected HOST or HOST:PORT after the @, several with commas between them, an IPv6 address in [],"
    " and what is special in a password as %XX"
)
_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")

_PLACE = re.compile(r"(?:\[(?P<ipv6>[^\[\]]+)\]|(?P<host>[^\[\]:/@\s]+))(?::(?P<port>[^:]*))?")
"""A host, and perhaps a port. A percent-encoded directory, where PostgreSQL has its socket, is a host too."""


def check_bootstrap(brokers: str) -> str:
    """Kafka's brokers, if each is a host, an IPv6 address, or either with a port; a comma too many is none.

    Raises:
        ValueError: one is none of these; says what is expected.
    """
    named = [broker.strip() for broker in brokers.split(",") if broker.strip()]
    if not named or not all(map(_is_broker, named)):
        raise ValueError(
            "expected brokers such as kafka:9092, several with commas between them,"
            f" an IPv6 address in [], a port from 1 to {PORT_MAX}"
        )
    return ",".join(named)


def _is_broker(text: str) -> bool:
    if _is_ipv6(text):  # the client takes one without a port, and then without brackets too
        return True
    place = _PLACE.fullmatch(text)
    return place is not None and _is_sound(place) and (place["port"] is None or _is_port(place["port"]))


def check_dsn(dsn: str) -> str:
    """A connection string of PostgreSQL as it is given, if a connection could be tried with it.

    Several hosts, socket directories and parameters such as `sslmode` are among what it may hold.

    Raises:
        ValueError: it cannot be read, or names a port that is none; says what is expected.
    """
    try:
        parts = urlsplit(dsn)
        parameters = parse_qs(parts.query, strict_parsing=True) if parts.query else {}
    except ValueError:
        raise ValueError(f"{_DSN_FORM}; {_PLACE_FORM}") from None
    if parts.scheme not in {"postgresql", "postgres"}:
        raise ValueError(_DSN_FORM)
    places = parts.netloc.partition("@")[2] if "@" in parts.netloc else parts.netloc
    if places and not all(map(_is_server, places.split(","))):
        raise ValueError(f"{_PLACE_FORM}; a port is from 1 to {PORT_MAX}")
    _check_parameters({name: values[-1] for name, values in parameters.items()})
    return dsn


def _check_parameters(given: dict[str, str]) -> None:
    for place in given.get("host", "/").split(","):
        if not place.startswith("/") and not _is_server(place):
            raise ValueError(f"its parameter host: {_PLACE_FORM}")
    if not all(map(_is_port, given.get("port", "1").split(","))):
        raise ValueError(f"its parameter port: expected ports from 1 to {PORT_MAX}")
    if given.get("sslmode", "prefer") not in _SSL_MODES:
        raise ValueError(f"its parameter sslmode: expected one of {', '.join(_SSL_MODES)}")


def _is_server(text: str) -> bool:
    place = _PLACE.fullmatch(text)
    # A colon with nothing behind it means the usual port, as for every client of PostgreSQL.
    return place is not None and _is_sound(place) and (not place["port"] or _is_port(place["port"]))


def _is_sound(place: re.Match[str]) -> bool:
    return place["ipv6"] is None or _is_ipv6(place["ipv6"])


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
"""A setting that names Kafka's brokers."""

Dsn = Annotated[SecretStr, AfterValidator(_secret_dsn)]
"""A setting that is a connection string of PostgreSQL."""
