"""Free ports below the kernel's range for outgoing connections.

A port in that range could be taken while its server is stopped, and the restart would fail.
"""

import random

from plumbline import ports
from plumbline.failure import StackError

_FIRST = 20_000
_LAST = 31_999
_TRIES_MAX = 200

_given_out: set[int] = set()


def free_port(span: int = 1) -> int:
    """Return the first of `span` consecutive free ports. No port is returned twice in a session."""
    for _ in range(_TRIES_MAX):
        # Not seeded: two suites on one machine must not draw the same ports.
        first = random.SystemRandom().randint(_FIRST, _LAST - span)
        span_ports = set(range(first, first + span))
        if not span_ports & _given_out and all(ports.is_free(port) for port in span_ports):
            _given_out.update(span_ports)
            return first
    raise StackError(
        f"no {span} free ports between {_FIRST} and {_LAST}: stop the programs that listen there"
    )
