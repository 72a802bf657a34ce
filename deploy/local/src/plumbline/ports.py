"""Ports are looked at before anything is started, so that a busy one is named and not stumbled over."""

import socket
from collections.abc import Mapping

import psutil

from plumbline.failure import StackError
from plumbline.state_directory import HOST, PORT_BASE_VARIABLE


def require_free(ports: Mapping[str, int]) -> None:
    """`StackError` naming every port of `ports` (purpose → port) that is taken, and by whom if known."""
    taken = [
        f"{port} ({purpose}) by {listener(port)}" for purpose, port in ports.items() if not is_free(port)
    ]
    if taken:
        raise StackError(f"port taken: {', '.join(taken)}; stop that, or set {PORT_BASE_VARIABLE}")


def is_free(port: int) -> bool:
    """Whether we could listen there now; connections that linger after a close do not count."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def listener(port: int) -> str:
    """The program that listens on a port; other users' programs are not shown to an ordinary user."""
    try:
        listening = (c for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN)
        pid = next((c.pid for c in listening if getattr(c.laddr, "port", None) == port), None)
        return f"{psutil.Process(pid).name()} (pid {pid})" if pid else "an unknown program"
    except psutil.Error:
        return "an unknown program"
