"""Erase a person's payloads, and append an entry that says so, in one transaction (AU-6)."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import dataclass

from audit.adapters import event_log, payload_erasure
from audit.adapters.payload_erasure import StoredBody, TypeSummary
from audit.domain.erasure import erasure_entry, stored_subjects
from audit.domain.mentions import mentions, pattern_of
from chassis import clock
from chassis.postgres import Connection

REWRITE_WAIT_SECONDS_MAX = 60.0
_POLL_SECONDS = 0.2

Progress = Callable[[str, int, int], None]
"""Receives what is done, how far, and of how much."""


class RewriteDelayedError(Exception):
    """Deleted rows are still in a table's file. The same command again writes the file anew."""


@dataclass(frozen=True, slots=True)
class Found:
    """What an erasure concerns.

    Attributes:
        entry_ids: entries whose payload is erased.
        renderings: number of further bodies of these entries.
        types: what is stored, by event type.
    """

    entry_ids: frozenset[int]
    renderings: int
    types: list[TypeSummary]


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure has deleted, and the id of its entry."""

    erasure_id: str
    entry_id: int
    payloads: int
    renderings: int


async def find(
    connection: Connection, subjects: Collection[str], *, searches_bodies: bool, progress: Progress
) -> Found:
    """Find the payloads of subjects.

    Args:
        connection: of the eraser.
        subjects: ids of bookings, telephone numbers, e-mail addresses and the like.
        searches_bodies: read every payload, and find those that mention a subject.
        progress: told after each page.
    """
    entry_ids = await payload_erasure.by_subject(connection, stored_subjects(subjects))
    if searches_bodies:
        last = await payload_erasure.last_entry(connection)
        for name, pages in (
            ("payloads", payload_erasure.bodies(connection)),
            ("renderings", payload_erasure.renderings(connection)),
        ):
            entry_ids |= await _search(pages, subjects, lambda at, name=name: progress(name, at, last))
    return Found(
        frozenset(entry_ids),
        await payload_erasure.count_renderings(connection, entry_ids),
        await payload_erasure.summary(connection, entry_ids),
    )


async def _search(
    pages: AsyncIterator[list[StoredBody]], subjects: Collection[str], progress: Callable[[int], None]
) -> set[int]:
    patterns = [pattern_of(subject) for subject in subjects]
    entry_ids = set[int]()
    async for page in pages:
        entry_ids |= {
            each.entry_id
            for each in page
            if any(mentions(text, patterns) for text in (each.body, *map(str.encode, each.texts)))
        }
        progress(page[-1].entry_id)
    return entry_ids


async def erase(
    connection: Connection, subjects: Collection[str], found: Found, *, actor: str, reason: str | None
) -> Erased | None:
    """Delete what was found, and what came under these subjects since, and append the entry.

    Return None if nothing was there. Another erasure of the same payloads waits, and then finds nothing.
    """
    async with connection.transaction():
        since = await payload_erasure.by_subject(connection, stored_subjects(subjects))
        payloads, renderings = await payload_erasure.delete(connection, found.entry_ids | since)
        if not payloads and not renderings:
            return None
        erasure_id = clock.new_id()
        counts = {"payloads": payloads, "renderings": renderings}
        entry = erasure_entry(erasure_id, subjects=subjects, actor=actor, reason=reason, counts=counts)
        appended = await event_log.append(connection, [entry])
    return Erased(erasure_id, appended[entry.identity].entry_id, payloads, renderings)


async def rewrite_files(connection: Connection, progress: Progress) -> list[str]:
    """Write the files of all tables anew from which rows were erased. Return the names of the tables.

    Raises:
        RewriteDelayedError: an old snapshot still sees the rows, or the table was in use for too long.
    """
    due = await payload_erasure.due_rewrites(connection)
    for number, each in enumerate(due):
        progress("files", number, len(due))
        deadline = time.monotonic() + REWRITE_WAIT_SECONDS_MAX
        while holder := await payload_erasure.holder_of_snapshot(connection, each):
            if time.monotonic() > deadline:
                raise RewriteDelayedError(_delayed(each.relation, f"{holder} has an older snapshot"))
            await asyncio.sleep(_POLL_SECONDS)
        try:
            await payload_erasure.rewrite(connection, each)
        except payload_erasure.TableInUseError as error:
            raise RewriteDelayedError(_delayed(each.relation, "it is in use")) from error
    return [each.relation for each in due]


def _delayed(relation: str, why: str) -> str:
    return (
        f"the rows are deleted, but their bytes are still in the file of {relation}, because {why}:"
        " run the same command again later"
    )
