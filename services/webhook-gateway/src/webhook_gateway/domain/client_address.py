"""Finds the client's address: the connection's peer, or the one that a trusted proxy reports."""

from collections.abc import Iterable

ADDRESS_CHARACTERS_MAX = 64
UNKNOWN_ADDRESS = "unknown"


def client_address(peer: str | None, headers: Iterable[tuple[bytes, bytes]], *, proxies_trusted: int) -> str:
    """Return the address that a refusal is counted under.

    Each trusted proxy appends the address it saw to X-Forwarded-For, so with N of them the N-th from the
    right is the client; what stands further left was written by the client and is worth nothing.
    """
    if proxies_trusted == 0:
        return peer or UNKNOWN_ADDRESS
    forwarded = b",".join(value for name, value in headers if name == b"x-forwarded-for")
    hops = [hop.strip() for hop in forwarded.decode("latin-1").split(",")]
    address = hops[-proxies_trusted] if len(hops) >= proxies_trusted else ""
    return address[:ADDRESS_CHARACTERS_MAX] if address.isascii() and address else peer or UNKNOWN_ADDRESS
