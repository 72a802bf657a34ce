"""Free ports below the kernel's range for outgoing connections.

A port in that range could be taken while its server is stopped, and the restart would fail.
"""

import os
import random

from plumbline import ports
from plumbline.failure import StackError

_FIRST = 20_000
_LAST = 31_999
_TRIES_MAX = 200

_given_out: set[int] = set()


def own_ports(worker: str, workers: int) -> range:
    """Return the ports of a pytest-xdist worker (`gw0`, …): what is free may be taken soon by another."""
    each = (_LAST - _FIRST) // workers
    first = _FIRST + each * int(worker.removeprefix("gw"))
    return range(first, first + each)


def free_port(span: int = 1) -> int:
    """Return the first of `span` consecutive free ports. No port is returned twice in a session."""
    own = own_ports(
        os.environ.get("PYTEST_XDIST_WORKER", "gw0"), int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    )
    for _ in range(_TRIES_MAX):
        # Not seeded: two suites on one machine must not draw the same ports.
        first = random.SystemRandom().randint(own.start, own.stop - span)
        span_ports = set(range(first, first + span))
        if not span_ports & _given_out and all(ports.is_free(port) for port in span_ports):
            _given_out.update(span_ports)
            return first
    raise StackError(
        f"no {span} free ports between {own.start} and {own.stop}: stop the programs that listen there"
    )
