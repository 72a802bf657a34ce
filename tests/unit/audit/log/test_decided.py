"""An entry id counts as decided only when no writer can commit an entry with it any more."""

import random

from hypothesis import given
from hypothesis import strategies as st

from audit.domain.log.decided import Decided, Reading, sealed_through


def test_id_is_decided_when_every_writer_of_its_reading_has_ended() -> None:
    start = Decided(0)
    waits = start.observe(Reading(7, frozenset({1, 2})))
    assert waits.through == 0
    assert waits.observe(Reading(9, frozenset({2, 3}))).through == 0
    ended = waits.observe(Reading(12, frozenset({3})))
    assert ended.through == 7
    assert ended.observe(Reading(12, frozenset())).through == 12


def test_full_batch_bounds_what_is_sealed_and_nothing_goes_back() -> None:
    assert sealed_through(3, 10, last_of_full_batch=None) == 10
    assert sealed_through(3, 10, last_of_full_batch=8) == 8
    assert sealed_through(3, 2, last_of_full_batch=8) == 3


@given(st.randoms(use_true_random=False), st.integers(1, 5))
def test_no_entry_is_ever_skipped_whatever_the_order_of_commits(dice: random.Random, batch: int) -> None:
    """Writers lock, take ids, and commit or roll back in any order between the steps of the sealer."""
    world = World(dice)
    decided, through, sealed = Decided(0), 0, list[int]()
    for _ in range(40):
        world.step()
        last_id = world.last_id  # the sequence is read before the locks
        world.step()
        decided = decided.observe(Reading(last_id, frozenset(world.open)))
        world.step()
        rows = sorted(world.committed - set(sealed))
        taken = [entry_id for entry_id in rows if entry_id > through][:batch]
        sealed += taken
        is_full = len(taken) == batch
        through = sealed_through(through, decided.through, last_of_full_batch=taken[-1] if is_full else None)
        undecided = {entry_id for ids in world.open.values() for entry_id in ids}
        assert not any(entry_id <= through for entry_id in undecided)
        assert not any(entry_id <= through for entry_id in world.committed - set(sealed))
    assert len(sealed) == len(set(sealed))


class World:
    """Writers: each holds a lock from before it takes an id until it ends."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._locks = 0
        self.last_id = 0
        self.open: dict[int, list[int]] = {}
        self.committed: set[int] = set()

    def step(self) -> None:
        for _ in range(self._dice.randrange(4)):
            act = self._dice.choice([self._begin, self._take, self._take, self._end])
            act()

    def _begin(self) -> None:
        self._locks += 1
        self.open[self._locks] = []

    def _take(self) -> None:
        if self.open:
            self.last_id += 1
            self.open[self._dice.choice(list(self.open))].append(self.last_id)

    def _end(self) -> None:
        if self.open:
            ids = self.open.pop(self._dice.choice(list(self.open)))
            if self._dice.random() < 0.7:
                self.committed.update(ids)
