"""Paging through a list of Stripe's API, newest first (docs.stripe.com/api/pagination).

The position is a time and not an id. `starting_after` alone breaks in practice: an id that is gone answers
400, the rest of a second can be lost behind it, and servers that ignore it repeat one page for ever
(docs/decisions/0048). A page therefore starts at the oldest second of the previous page, and the objects of
that second come twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass


class RepeatedPageError(Exception):
    """Stripe's list does not go on: it answers with the same page again and again."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where the next page starts.

    Attributes:
        reached: objects created in this second, or before it, come next. Seconds since the epoch.
        after: id of the last object of the previous page, where that page lay within one second.
        repeats: pages in a row that brought nothing new.
    """

    reached: int
    after: str | None = None
    repeats: int = 0


@dataclass(frozen=True, slots=True)
class Listed:
    """One object of a page: its id, and its creation in seconds since the epoch."""

    id: str
    created: int


REPEATS_MAX = 3


def next_position(position: Position, page: Sequence[Listed], *, has_more: bool) -> Position | None:
    """Return the position after a page; None after the last page.

    Raises:
        RepeatedPageError: `REPEATS_MAX` pages in a row did not lead on, or an empty page says that more
            follow.
    """
    if not has_more:
        return None
    if not page:
        raise RepeatedPageError("Stripe's list says that more objects follow, and sends none")
    oldest = min(listed.created for listed in page)
    if oldest < position.reached:
        return Position(oldest)
    last = page[-1].id
    repeats = position.repeats + 1 if last == position.after else 0
    if repeats >= REPEATS_MAX:
        raise RepeatedPageError(f"Stripe's list repeats the page that ends with {last}")
    return Position(position.reached, last, repeats)
