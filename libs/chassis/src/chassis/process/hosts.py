"""Host names under which a service answers (HTTP_HOSTS)."""

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

ANY_HOST = "*"


@dataclass(frozen=True, slots=True)
class AllowedHosts:
    """Host names under which a service answers. Loopback names and addresses are always allowed.

    Attributes:
        names: host names or addresses in lower case, without a port; `*` allows every name.
    """

    names: frozenset[str] = frozenset()

    def allow(self, host: str) -> bool:
        """Return whether a `Host` value, with or without a port, names this service."""
        name = host_name(host)
        return ANY_HOST in self.names or name in self.names or _is_loopback(name)


LOOPBACK_ONLY = AllowedHosts()


def parse_hosts(text: str) -> AllowedHosts:
    """Read a comma-separated list of host names (HTTP_HOSTS).

    Raises:
        ValueError: a name carries a scheme, a port or a path.
    """
    names = [name.strip().lower() for name in text.split(",") if name.strip()]
    for name in names:
        is_plain = name.isascii() and " " not in name and ANY_HOST not in name
        if name != ANY_HOST and (not is_plain or host_name(name) != name.strip("[].")):
            raise ValueError(
                f"{name!r} is not a host name: write names such as www.example.com, without a port"
            )
    return AllowedHosts(frozenset(name.strip("[].") for name in names))


def host_name(host: str) -> str:
    """Return the name or address of a `Host` value in lower case, without port; empty if it has none."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _is_loopback(name: str) -> bool:
    if name == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
