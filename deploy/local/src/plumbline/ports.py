"""Check of ports before anything is started, so that the error names a port in use."""

import socket
from collections.abc import Mapping

import psutil

from plumbline.failure import StackError
from plumbline.state_directory import HOST, PORT_BASE_VARIABLE


def require_free(ports: Mapping[str, int]) -> None:
    """Raise `StackError` that names each busy port of `ports` (purpose → port), with its program if known."""
    busy = [f"{port} ({purpose}) by {listener(port)}" for purpose, port in ports.items() if not is_free(port)]
    if busy:
        raise StackError(f"port in use: {', '.join(busy)}; stop the program, or set {PORT_BASE_VARIABLE}")


def is_free(port: int) -> bool:
    """Return whether a server can listen on `port` now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # A connection in TIME_WAIT does not make the port busy.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def listener(port: int) -> str:
    """Return the program that listens on a port; an ordinary user cannot see programs of other users."""
    try:
        listening = (c for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN)
        pid = next((c.pid for c in listening if getattr(c.laddr, "port", None) == port), None)
        return f"{psutil.Process(pid).name()} (pid {pid})" if pid else "an unknown program"
    except psutil.Error:
        return "an unknown program"
