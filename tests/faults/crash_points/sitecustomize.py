"""Crash points: the interpreter loads this file when its folder is on PYTHONPATH, so services have no trace
of them. `CRASH_AT` names one; the process then ends itself with SIGKILL, which nothing can catch.
"""

import os
import signal
from typing import Any


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _before_offset_commit() -> None:
    """After the database committed a batch that changed something, before Kafka knows (F2)."""
    from chassis.consuming.shell import Consumer

    async def commit(_self: Any, _records: Any) -> None:
        _die()

    Consumer._commit = commit


def _before_outbox_mark() -> None:
    """After the broker's ack, before the outbox rows are deleted (F3)."""
    from chassis.relay import Relay

    publish = Relay._publish

    async def publish_and_die(self: Any, rows: Any) -> Any:
        acked, _ = await publish(self, rows)
        if acked:
            _die()
        return acked, None

    Relay._publish = publish_and_die


_POINTS = {"before-offset-commit": _before_offset_commit, "before-outbox-mark": _before_outbox_mark}

if "CRASH_AT" in os.environ:
    _POINTS[os.environ["CRASH_AT"]]()
