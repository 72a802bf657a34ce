"""Objects that facts are about, each with the fact that decides its state."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from booking.domain.facts import Fact, Kind, State

CAPTURED = (State.SUCCEEDED, State.OUT_OF_BAND)


@dataclass(frozen=True, slots=True)
class ObjectFacts:
    """One object and the facts about it."""

    facts: tuple[Fact, ...]

    @property
    def latest(self) -> Fact:
        """Return the fact of the furthest state; of several, the latest by the provider's clock."""
        return max(self.facts, key=lambda fact: (fact.rank, *by_time(fact)))

    @property
    def first_captured(self) -> Fact | None:
        """Return the earliest report of captured money. A later one that differs does not replace it."""
        captured = [fact for fact in self.facts if fact.state in CAPTURED and fact.amount is not None]
        return min(captured, key=by_time, default=None)


def by_time(fact: Fact) -> tuple[int, int, str]:
    """Return the sort key of a fact: time of the event; within one second the order of arrival."""
    return fact.occurred_at, fact.position, fact.event_id


Objects = Mapping[Kind, Sequence[ObjectFacts]]


def group_by_object(facts: Collection[Fact]) -> Objects:
    """Return the objects by kind, in the order of their ids."""
    by_id: dict[tuple[Kind, str], list[Fact]] = defaultdict(list)
    for fact in sorted(facts, key=by_time):
        by_id[fact.kind, fact.object_id].append(fact)
    objects: dict[Kind, list[ObjectFacts]] = defaultdict(list)
    for (kind, _), group in sorted(by_id.items()):
        objects[kind].append(ObjectFacts(tuple(group)))
    return objects


def in_state(objects: Objects, kind: Kind, *states: State) -> list[ObjectFacts]:
    """Return the objects of a kind that are in one of these states."""
    return [item for item in objects[kind] if item.latest.state in states]
