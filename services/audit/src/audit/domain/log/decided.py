"""Which entry ids are decided: their transaction has committed or was rolled back (pure).

Ids are not in the order of commits. Every writer holds an advisory lock from before it takes an id until its
transaction ends (`record_time()`). So an id that was taken before a reading belongs to a writer of that
reading, or it is decided. No clock takes part.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reading:
    """The writers at one moment.

    Attributes:
        last_id: last entry id that had been taken, read before the writers.
        writers: locks of the writers that had not ended.
    """

    last_id: int
    writers: frozenset[int]


@dataclass(frozen=True, slots=True)
class Decided:
    """What readings have shown.

    Attributes:
        through: every id up to this one is decided. Entries read after the last reading include them all.
        waiting: the reading whose writers have not all ended; None for none.
    """

    through: int
    waiting: Reading | None = None

    def observe(self, reading: Reading) -> "Decided":
        """Return what is known after one more reading."""
        through, waiting = self.through, self.waiting
        if waiting is not None and not waiting.writers & reading.writers:
            through, waiting = max(through, waiting.last_id), None
        if not reading.writers:
            return Decided(max(through, reading.last_id))
        return Decided(through, waiting or reading)


def sealed_through(before: int, decided: int, *, last_of_full_batch: int | None) -> int:
    """Return the id up to which every entry is sealed, after a batch of unsealed entries in order.

    Args:
        before: the same before the batch.
        decided: ids that were decided before the batch was read.
        last_of_full_batch: last id of a batch that may have left some; None for one that took them all.
    """
    reached = decided if last_of_full_batch is None else min(decided, last_of_full_batch)
    return max(before, reached)
