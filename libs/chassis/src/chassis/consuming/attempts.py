"""Take the steps of the state machine: apply a batch, or make the last attempt of a message."""

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from chassis.consuming.limits import LOCK_MILLISECONDS_MAX
from chassis.consuming.losses import LossStore
from chassis.consuming.report import HandlingReport, InFlight, SetAsideCause
from chassis.consuming.state_machine import ConsumerStateMachine
from chassis.consuming.steps import ApplyBatch, LastAttempt
from chassis.dead_letters.placement import Placement
from chassis.messaging.failures import FailureKind, classify, describe_lock
from chassis.messaging.message import Apply, KeysInUseError, Message, describe, error_class
from chassis.observability.logs import get_logger
from chassis.observability.redaction import loggable
from chassis.postgres.database import Connection, Database
from contracts.reasons import SetAsideReason

_log = get_logger(__name__)

_BEHIND = SetAsideCause(SetAsideReason.BEHIND_ANOTHER)
_OUT_OF_PLACE = SetAsideCause(SetAsideReason.OUT_OF_PLACE)
_REASONS = {FailureKind.MALFORMED: SetAsideReason.MALFORMED, FailureKind.SUSPECT: SetAsideReason.BUG}


class SetAsideStore(LossStore, Protocol):
    """Stores messages that cannot be applied: `chassis.dead_letters.DeadLetters`, or one of a service."""

    async def partition_batch(self, connection: Connection, messages: Sequence[Message]) -> Placement:
        """Split a batch. Messages whose ordering key has waiting dead letters are stored behind them."""
        ...

    async def lock(self, connection: Connection, message: Message) -> None:
        """Lock the waiting dead letters of the message's key until the transaction ends."""
        ...

    async def set_aside(
        self, connection: Connection, message: Message, *, reason: SetAsideReason, error: str, attempts: int
    ) -> bool:
        """Store a message in the caller's transaction. Return False if there is no room."""
        ...


class Attempts:
    """Takes steps in database transactions and records their outcomes.

    Args:
        machine: receives the outcomes.
        database: opens the transactions.
        apply: the service's effect of a batch.
        store: stores messages that cannot be applied.
        report: spans, metrics and log lines of the messages.
    """

    def __init__(
        self,
        machine: ConsumerStateMachine,
        database: Database,
        apply: Apply,
        store: SetAsideStore,
        report: HandlingReport,
    ) -> None:
        self._machine = machine
        self._database = database
        self._apply = apply
        self._store = store
        self._report = report

    async def apply_batch(self, step: ApplyBatch) -> None:
        """Apply a batch in one transaction. Never raises: a failure is an outcome."""
        messages = step.messages
        in_flight = self._report.begin(messages)
        try:
            async with self._transaction() as connection:
                placement = await self._store.partition_batch(connection, messages)
                effects = await self._apply(connection, placement.free) if placement.free else 0
        except Exception as error:  # noqa: BLE001 - the state machine has an answer to every failure
            self._record_failed(step, error)
            self._report.not_applied(in_flight)
            return
        self._record_applied(step, in_flight, placement, effects)

    async def make_last_attempt(self, step: LastAttempt) -> None:
        """Try a message once more. If it fails, set it aside in the same transaction. Never raises."""
        entry, message = step.entry, step.entry.message
        in_flight = self._report.begin([message])
        attempts, failure, kept = entry.attempts + 1, "", False
        kind, effects = FailureKind.SUSPECT, 0
        try:
            async with self._transaction() as connection:
                await self._store.lock(connection, message)
                placement = await self._store.partition_batch(connection, [message])
                try:
                    async with connection.transaction():  # a savepoint: the lock must survive the failure
                        effects = await self._apply(connection, placement.free) if placement.free else 0
                except Exception as error:
                    kind = classify(error)
                    if not kind.may_set_aside:
                        raise
                    failure = describe(error)
                    kept = await self._store.set_aside(
                        connection, message, reason=_REASONS[kind], error=failure, attempts=attempts
                    )
        except Exception as error:  # noqa: BLE001 - a message that is not stored does not pass, whatever the error
            self._record_failed(step, error)
            self._report.not_applied(in_flight)
            return
        if not failure:
            self._record_applied(ApplyBatch([entry]), in_flight, placement, effects)
            return
        self._machine.record_set_aside(step, kind, kept=kept, now=time.monotonic())
        if kept:
            cause = SetAsideCause(_REASONS[kind], error_class(failure))
            self._report.set_aside(in_flight, message, cause, attempts=attempts)
        else:
            self._report.not_applied(in_flight)
            position = {"topic": message.topic, "partition": message.partition, "offset": message.offset}
            _log.error("no room to set a message aside: its partition pauses", **position)

    @asynccontextmanager
    async def _transaction(self) -> AsyncGenerator[Connection]:
        async with self._database.transaction() as connection:
            await connection.execute(f"SET LOCAL lock_timeout = {LOCK_MILLISECONDS_MAX}")
            yield connection

    def _record_applied(
        self, step: ApplyBatch, in_flight: InFlight, placement: Placement, effects: int
    ) -> None:
        self._machine.record_applied(
            step,
            effects=effects,
            no_room=placement.no_room,
            in_use=placement.in_use,
            now=time.monotonic(),
        )
        self._report.applied(in_flight, placement.free)
        for message in placement.behind:
            self._report.set_aside(in_flight, message, _BEHIND, attempts=0)
        for message in placement.misplaced:
            self._report.set_aside(in_flight, message, _OUT_OF_PLACE, attempts=0)
        self._report.settled(in_flight, placement.settled)
        self._report.not_applied(in_flight)  # all others

    def _record_failed(self, step: ApplyBatch | LastAttempt, error: Exception) -> None:
        kind, now = classify(error), time.monotonic()
        if kind is FailureKind.BUSY:
            in_use = error.messages if isinstance(error, KeysInUseError) else ()
            self._machine.record_failed(step, kind, describe_lock(error), now, in_use=in_use)
            return
        kind_name = kind.name.lower()
        _log.warning("batch not applied", messages=len(step.entries), kind=kind_name, error=loggable(error))
        self._machine.record_failed(step, kind, describe(error), now)
