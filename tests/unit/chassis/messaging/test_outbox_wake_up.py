"""A write wakes the relays of its process, so that an event after a quiet moment leaves at once (BK-11)."""

import asyncio
import gc

from chassis.messaging.outbox import note_write, wake_on_write


def test_write_wakes_each_relay_that_still_runs() -> None:
    running, ended = asyncio.Event(), asyncio.Event()
    wake_on_write(running)
    wake_on_write(ended)
    del ended
    gc.collect()
    note_write()
    assert running.is_set()
