"""Free ports below the range from which the kernel takes ports for outgoing connections.

A port from that range could be taken while its server is stopped, and the restart would fail.
"""

import random

from plumbline import ports
from plumbline.failure import StackError

_FIRST = 20_000
_LAST = 31_999
_TRIES_MAX = 200

_given_out: set[int] = set()


def free_port(span: int = 1) -> int:
    """The first of `span` neighbouring ports that are free now, and that nobody here was given before."""
    for _ in range(_TRIES_MAX):
        # Seeds of the test run must not make two suites on one machine draw the same ports.
        first = random.SystemRandom().randint(_FIRST, _LAST - span)
        wanted = set(range(first, first + span))
        if not wanted & _given_out and all(ports.is_free(port) for port in wanted):
            _given_out.update(wanted)
            return first
    raise StackError(f"no {span} free ports between {_FIRST} and {_LAST}: end what listens there")
