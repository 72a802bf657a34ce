"""The inbox on a real PostgreSQL compared with a dictionary: copies, conflicts, roll-backs, retention."""

import asyncio
from collections.abc import Awaitable, Sequence
from datetime import timedelta
from typing import TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from chassis.messaging import inbox
from chassis.messaging.inbox_retention import InboxRetention
from chassis.observability.metrics import Metrics
from chassis.postgres import Session
from harness.exploring import examples
from integration.chassis.ground import Ground
from integration.chassis.messaging.test_inbox import message

RETENTION_DAYS = 35
ResultT = TypeVar("ResultT")
Incoming = tuple[str, bytes]

BATCHES = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from([b"1", b"2"])), min_size=1, max_size=5)


class InboxMachine(RuleBasedStateMachine):
    """Compare the table with `known`: event id → body and age in days."""

    def __init__(self, place: Ground, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self.place, self.loop = place, loop
        self.database = place.database("model")
        self.session: Session = self.run(self.database.dedicated())
        self.known: dict[str, tuple[bytes, int]] = {}
        self.run(place.sql.execute("TRUNCATE inbox"))

    def run(self, work: Awaitable[ResultT]) -> ResultT:
        return self.loop.run_until_complete(work)

    @rule(batch=BATCHES, commits=st.booleans())
    def admit(self, batch: list[Incoming], commits: bool) -> None:
        admission = self.run(self._admit(batch, commits=commits))
        after = dict(self.known)
        fresh, duplicates, conflicts = self._expected(batch, after)
        assert [(m.metadata.id, m.value) for m in admission.fresh] == fresh
        assert admission.duplicates == duplicates
        assert [(c.message.metadata.id, c.message.value) for c in admission.conflicts] == conflicts
        assert all(
            c.first_body_sha256 == message("x", after[c.message.metadata.id][0]).body_sha256
            for c in admission.conflicts
        )
        if commits:
            self.known = after

    @rule(days=st.sampled_from([1, 20, 36]))
    def time_passes(self, days: int) -> None:
        self.run(
            self.place.sql.execute("UPDATE inbox SET received_at = received_at - $1::interval", _days(days))
        )
        self.known = {event: (body, age + days) for event, (body, age) in self.known.items()}

    @rule()
    def sweep(self) -> None:
        retention = InboxRetention(self.database, _days(RETENTION_DAYS), Metrics("sample"))
        old = {event for event, (_, age) in self.known.items() if age > RETENTION_DAYS}
        assert self.run(retention.sweep(asyncio.Event())) == len(old)
        self.known = {event: body_and_age for event, body_and_age in self.known.items() if event not in old}

    @invariant()
    def table_has_what_is_known(self) -> None:
        rows = self.run(self.session.fetch("SELECT event_id, body_sha256 FROM inbox"))
        assert {row["event_id"]: row["body_sha256"] for row in rows} == {
            event: message("x", body).body_sha256 for event, (body, _) in self.known.items()
        }

    def teardown(self) -> None:
        self.session.terminate()
        self.run(asyncio.sleep(0))

    async def _admit(self, batch: list[Incoming], *, commits: bool) -> inbox.Admission:
        transaction = self.session.transaction()
        await transaction.start()
        admission = await inbox.admit(self.session, [message(event, body) for event, body in batch])
        await (transaction.commit() if commits else transaction.rollback())
        return admission

    @staticmethod
    def _expected(
        batch: Sequence[Incoming], known: dict[str, tuple[bytes, int]]
    ) -> tuple[list[Incoming], int, list[Incoming]]:
        fresh: list[Incoming] = []
        duplicates, conflicts = 0, []
        for event, body in batch:
            if event not in known:
                known[event] = (body, 0)
                fresh.append((event, body))
            elif known[event][0] == body:
                duplicates += 1
            else:
                conflicts.append((event, body))
        return fresh, duplicates, conflicts


def _days(days: int) -> timedelta:
    return timedelta(days=days)


@pytest.mark.explores
def test_inbox_does_what_a_dictionary_does(place: Ground) -> None:
    loop = asyncio.new_event_loop()
    try:
        run_state_machine_as_test(
            lambda: InboxMachine(place, loop),
            settings=settings(max_examples=examples(400), stateful_step_count=15, deadline=None),
        )
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
