"""A member of the group: the real core in a shell that does what `chassis.consuming.shell` does."""

from chassis.consuming.core import Core
from chassis.consuming.limits import Limits
from chassis.consuming.queues import Place
from chassis.consuming.steps import Apply, SetAside, Wait
from simulation import store as db
from simulation.kafka import FencedError, Kafka
from simulation.scheduler import Process, Scheduler, Sleeps

FETCH_RECORDS_MAX = 6
POLL_SECONDS_MAX = 0.5


class Member:
    def __init__(
        self, name: str, scheduler: Scheduler, kafka: Kafka, store: db.Store, limits: Limits
    ) -> None:
        self.name, self.scheduler, self.kafka, self.store, self.limits = name, scheduler, kafka, store, limits
        self.process = Process(self._run)
        self.core = Core(limits)
        self.generation = -1
        self.positions: dict[Place, int] = {}
        self.paused: set[Place] = set()

    def answers(self) -> bool:
        """Whether it takes part in a rebalance: it runs and is not stopped."""
        return self.process.sleeps is not None and self.process.stopped_until <= self.scheduler.now

    def revoked(self) -> None:
        self.core.revoke(list(self.positions))
        self.positions, self.paused = {}, set()

    def assigned(self, generation: int, positions: dict[Place, int]) -> None:
        self.generation, self.positions = generation, positions
        self.core.assign(positions)
        self._say("has {}", positions)

    def _run(self) -> Sleeps:
        self.core, self.positions = Core(self.limits), {}
        while True:
            if self not in self.kafka.members:
                self.kafka.members.append(self)
                self.kafka.rebalance()
            yield from self._poll()
            step = self.core.next_step(self.scheduler.now)
            match step:
                case Apply():
                    yield from self._apply(step)
                case SetAside():
                    yield from self._set_aside(step)
                case Wait(until):
                    waits = POLL_SECONDS_MAX if until is None else until - self.scheduler.now
                    yield min(max(waits, 0.001), POLL_SECONDS_MAX)
            yield from self._commit()

    def _poll(self) -> Sleeps:
        """What is fetched under one assignment never reaches the next."""
        generation = self.generation
        flow = self.core.flow()
        self.paused = self.paused.union(flow.pause).difference(flow.resume)
        fetched = {
            place: records
            for place, at in self.positions.items()
            if place not in self.paused
            and (records := self.kafka.records[place[1]][at : at + FETCH_RECORDS_MAX])
        }
        if fetched:
            yield self._latency()
        if generation != self.generation:
            return
        for place, records in fetched.items():
            self.core.receive(place, records)
            self.positions[place] = records[-1].offset + 1

    def _apply(self, step: Apply) -> Sleeps:
        yield self._latency()
        tx = db.Transaction(self.store)
        try:
            placement = yield from db.place(tx, step.messages)
            yield tx.latency()
            yield from db.apply(tx, placement.free)
            yield tx.latency()
            tx.commit()
        except db.Failure as failure:
            self._say("{} failed: {}", values(step), failure)
            self.core.failed(step, failure.kind, str(failure), self.scheduler.now)
        else:
            self._say("{} applied, fresh: {}", values(step), [message.value for message in tx.effects])
            fresh = len(tx.effects)  # a duplicate proves nothing about the handlers
            left = {"no_room": placement.no_room, "in_use": placement.in_use}
            self.core.applied(step, effects=fresh, **left, now=self.scheduler.now)
        finally:
            tx.end()

    def _set_aside(self, step: SetAside) -> Sleeps:
        yield self._latency()
        tx = db.Transaction(self.store)
        try:
            kept = yield from db.set_aside(tx, step.entry.message)
            yield tx.latency()
            tx.commit()
        except db.Failure as failure:
            self._say("{} not set aside: {}", step.entry.message.value, failure)
            self.core.not_set_aside(step, str(failure), self.scheduler.now)
        else:
            self._say("{} set aside: {}", step.entry.message.value, kept)
            self.core.set_aside(step, kept=kept, now=self.scheduler.now)
        finally:
            tx.end()

    def _commit(self) -> Sleeps:
        offsets = dict(self.core.to_commit())
        if not offsets:
            return
        generation = self.generation
        yield self._latency()
        try:
            self.kafka.commit(self, generation, offsets)
            self._say("commits {}", offsets)
        except FencedError:
            return
        if not self.store.mishap():  # else the answer is lost
            self.core.committed(offsets)

    def _latency(self) -> float:
        return self.store.rng.random() * db.LATENCY_SECONDS_MAX

    def _say(self, words: str, *things: object) -> None:
        self.scheduler.say("{} " + words, self.name, *things)


def values(step: Apply) -> list[bytes]:
    return [message.value for message in step.messages]
