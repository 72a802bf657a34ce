"""What every service sets in Python's own runtime, and why."""

import gc
from asyncio import selector_events
from typing import Any

READ_BYTES_MAX = 64 * 1024


def read_in_pieces() -> None:
    """Let a connection ask for 64 KiB at a time, where asyncio would ask for 256.

    So much memory the C library maps and unmaps for every single read, be it of a hundred bytes: 11 µs, where
    a read costs 1 µs otherwise. Below its threshold of 128 KiB it keeps memory at hand.
    """
    asyncios_own: Any = selector_events  # it is not in the stubs
    asyncios_own._SelectorSocketTransport.max_size = READ_BYTES_MAX  # noqa: SLF001 - there is no other way


def spare_what_is_loaded() -> None:
    """Set what is loaded apart from the garbage collector: a full collection walks all of it.

    Call it when everything has started.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
