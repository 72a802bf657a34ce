"""Blocks of the search index: which lexemes an entry has, and which a filter asks for (decision 0055)."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations

from audit.domain.filters import EntryFilter, Position
from audit.domain.search import Term, lexemes_of, terms_of

BLOCK_ENTRIES = 256
"""Entries of one block. A page of rare matches reads a block for each."""

NEAREST_BLOCKS = 4
"""Blocks that a search reads first, whatever words they have: most searches end there."""
BATCH_BLOCKS = (8, 32, 64)
"""Blocks with the words that a search then reads at once. The last number repeats."""

# Fields whose whole values are lexemes, one for each combination of these fields that a filter can name: each
# value alone is in nearly every block. A lexeme begins with the fields' marks; no word has its colon.
_COMBINED = {"event_type": "t", "status": "s", "source": "o"}
_ACTOR = "actor"
MARKED = (*_COMBINED, _ACTOR)
"""Fields whose whole values are lexemes."""


@dataclass(frozen=True, slots=True)
class Block:
    """Entries of a range of numbers, and the times between which all of them were recorded."""

    first_entry_id: int
    last_entry_id: int
    recorded_from: datetime
    recorded_to: datetime


def block_lexemes(entries: Collection[Sequence[str | None]]) -> list[str]:
    """Return the lexemes of a block, sorted.

    Args:
        entries: of each, the MARKED fields and then the searched ones.
    """
    kinds = {tuple(entry[: len(MARKED)]) for entry in entries}
    texts = {text for entry in entries for text in entry[len(MARKED) :] if text}
    lexemes = {lexeme for kind in kinds for lexeme in _marked(kind)}
    return sorted(lexemes | lexemes_of(texts))


def _marked(kind: Sequence[str | None]) -> Iterator[str]:
    *values, actor = kind
    given = [(mark, value) for mark, value in zip(_COMBINED.values(), values, strict=True) if value]
    for size in range(1, len(given) + 1):
        yield from map(_combination, combinations(given, size))
    if actor is not None:
        yield _combination([("a", actor)])


def _combination(marked: Sequence[tuple[str, str]]) -> str:
    return "".join(mark for mark, _ in marked) + ":" + "|".join(value for _, value in marked)


def filter_terms(query: EntryFilter) -> list[Term]:
    """Return what every block with a match has; nothing if any block can have one."""
    given = [(mark, value) for name, mark in _COMBINED.items() if (value := getattr(query, name)) is not None]
    terms = [Term(_combination(given))] if given else []
    if query.actor is not None:
        terms.append(Term(_combination([("a", query.actor)])))
    return terms + (terms_of(query.phrase) if query.text else [])


def is_settled(worst: Position, next_block: Block, *, newest_first: bool) -> bool:
    """Return whether no entry of this block, and of those behind it, can come before a position.

    Args:
        worst: of the last entry of a full page.
        next_block: newest first, the unread block with the latest entry; else that with the earliest.
        newest_first: order of page and blocks.
    """
    if newest_first:
        return next_block.recorded_to < worst.recorded_at
    return next_block.recorded_from > worst.recorded_at


class SettledEntries:
    """Finds the number up to which no entry can come any more, from what can be seen at each poll.

    A number is settled when every writer that was open after it was given has ended. Later writers get later
    numbers. No clock is asked.
    """

    def __init__(self) -> None:
        self._settled = self._candidate = 0
        self._awaited: frozenset[str] = frozenset()

    def update(self, newest: int, writers: Collection[str]) -> int:
        """Take a poll and return the settled number.

        Args:
            newest: largest number that was visible.
            writers: open writers, as seen after `newest` was read.
        """
        if newest < self._settled:  # another server, to which the last entries had not come
            self._settled = self._candidate = 0
        self._awaited &= frozenset(writers)
        if not self._awaited:
            self._settled = max(self._settled, self._candidate)
            self._candidate, self._awaited = newest, frozenset(writers)
            if not self._awaited:
                self._settled = max(self._settled, newest)
        return self._settled
