"""Fault points: the interpreter loads this file when its folder is on PYTHONPATH, so that the services' own
code has no trace of them. A forked process loads it after the services: a point replaces a function in each
module that has imported it by name.

`FAULT_POINTS=point:action[=argument][@probability],…`; FAULT_SEED seeds the dice. Actions: `kill` (SIGKILL,
which nothing can catch), `pause` (SIGSTOP), `delay=SECONDS`, `raise=SQLSTATE` (by the database itself); of
`outgoing-record`: `newer`, `older`; of `payment-read`: `bug=ID+ID`; of `clock`: `ahead=FILE`.
`sealer-STEP` strikes after that step of audit's sealer.
"""

import asyncio
import importlib
import json
import os
import random
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

_RAISE = "DO $$ BEGIN RAISE EXCEPTION 'fault point' USING ERRCODE = '{}'; END $$"


@dataclass(frozen=True)
class Fault:
    """What a point does, and how often."""

    action: str
    argument: str
    probability: float
    dice: random.Random

    async def strike(self, connection: Any = None) -> None:
        if self.dice.random() >= self.probability:
            return
        match self.action:
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "pause":
                os.kill(os.getpid(), signal.SIGSTOP)
            case "delay":
                await asyncio.sleep(float(self.argument))
            case "raise":
                await connection.execute(_RAISE.format(self.argument))
            case _:
                raise ValueError(f"FAULT_POINTS: no action {self.action!r}")


def _before_offset_commit(fault: Fault) -> None:
    """After the database committed a batch, before Kafka knows (F2)."""
    from chassis.consuming.consumer import Consumer

    commit = Consumer._commit

    async def strike_and_commit(self: Any, *args: Any, **options: Any) -> Any:
        await fault.strike()
        return await commit(self, *args, **options)

    Consumer._commit = strike_and_commit


def _before_outbox_mark(fault: Fault) -> None:
    """After the broker's ack, before the outbox rows are deleted (F3)."""
    from chassis.relay.publisher import Publisher

    publish = Publisher._publish

    async def publish_and_strike(self: Any, *args: Any, **options: Any) -> Any:
        published = await publish(self, *args, **options)
        await fault.strike()
        return published

    Publisher._publish = publish_and_strike


def _before_database_commit(fault: Fault) -> None:
    """At the end of a transaction, all its statements done (F10)."""
    from chassis.postgres import Database

    transaction = Database.transaction

    @asynccontextmanager
    async def transaction_and_strike(self: Any, **options: Any) -> AsyncIterator[Any]:
        async with transaction(self, **options) as connection:
            yield connection
            await fault.strike(connection)

    Database.transaction = transaction_and_strike


def _outgoing_record(fault: Fault) -> None:
    """Return the record that a newer or an older version would publish (F28)."""
    from msgspec.structs import replace

    from chassis.messaging import outbox, outbox_templates

    to_record = outbox.to_record

    def newer(event: Any) -> Any:
        record = to_record(event)
        value = json.dumps({**json.loads(record.value), "added_later": {"of": ["tomorrow"]}}).encode()
        return replace(record, value=value, headers=(*record.headers, ("ce_addedlater", b"1")))

    def older(event: Any) -> Any:
        record = to_record(event)
        kept = tuple((name, value) for name, value in record.headers if name not in _ADDED_HEADERS)
        return replace(record, headers=kept)

    outbox.to_record = outbox_templates.to_record = {"newer": newer, "older": older}[fault.action]


def _facts_read(fault: Fault) -> None:
    """A bug that strikes some events by id, `bug=ID+ID`: mended by a start without this point (F22)."""
    from booking.handlers import messages

    read_facts, struck = messages.read_facts, set(fault.argument.split("+"))

    def read_or_fail(event_type: str, body: bytes, *, event_id: str) -> Any:
        if event_id in struck:
            raise LookupError("fault point")
        return read_facts(event_type, body, event_id=event_id)

    messages.read_facts = read_or_fail


def _clock(fault: Fault) -> None:
    """A wall clock that is ahead by as many seconds as the file says at each reading, `ahead=FILE` (F24)."""
    from chassis import clock

    true_now, file = clock.now, Path(fault.argument)

    def now() -> datetime:
        return true_now() + timedelta(seconds=float(file.read_text(encoding="ascii")))

    clock.now = now


def _after(module: str, name: str) -> Callable[[Fault], None]:
    """After a function of a module, or a method of one of its classes, has done its work (F5)."""

    def install(fault: Fault) -> None:
        owner: Any = importlib.import_module(module)
        *classes, function = name.split(".")
        for each in classes:
            owner = getattr(owner, each)
        act = getattr(owner, function)

        async def act_and_strike(*args: Any, **options: Any) -> Any:
            result = await act(*args, **options)
            await fault.strike()
            return result

        setattr(owner, function, act_and_strike)

    return install


def _unfinished_checkpoint(fault: Fault) -> None:
    """A checkpoint's file is written, and has not got its name yet (F5)."""
    link = Path.hardlink_to

    def strike_and_link(self: Path, target: Path) -> None:
        asyncio.run(fault.strike())
        link(self, target)

    Path.hardlink_to = strike_and_link  # type: ignore[method-assign, assignment]


_ADDED_HEADERS = {"traceparent", "ce_correlationid", "ce_causationid", "content-type"}
"""Headers that a consumer must be able to do without."""


POINTS: dict[str, Callable[[Fault], None]] = {
    "before-offset-commit": _before_offset_commit,
    "before-outbox-mark": _before_outbox_mark,
    "before-database-commit": _before_database_commit,
    "outgoing-record": _outgoing_record,
    "payment-read": _facts_read,
    "clock": _clock,
    "sealer-opened": _after("audit.jobs.sealer", "open_log"),
    "sealer-leaves": _after("audit.adapters.log_leaves", "append_leaves"),
    "sealer-tiles": _after("audit.adapters.log_tiles", "insert_tiles"),
    "sealer-head": _after("audit.adapters.log_head", "replace_head"),
    "sealer-committed": _after("audit.jobs.sealer", "seal"),
    "sealer-recorded": _after("audit.jobs.checkpoint_publisher", "record_head"),
    "sealer-unfinished": _unfinished_checkpoint,
    "sealer-kept": _after("audit.adapters.checkpoint_sinks", "CheckpointDirectory.publish"),
    "sealer-sent": _after("audit.adapters.checkpoint_sinks", "CheckpointTopic.publish"),
}


def _install(text: str, seed: str) -> None:
    for number, wish in enumerate(filter(None, text.split(","))):
        point, _, rest = wish.partition(":")
        what, _, probability = rest.partition("@")
        action, _, argument = what.partition("=")
        dice = random.Random(f"{seed}/{number}")
        POINTS[point](Fault(action, argument, float(probability or 1), dice))


_install(os.environ.get("FAULT_POINTS", ""), os.environ.get("FAULT_SEED", ""))
