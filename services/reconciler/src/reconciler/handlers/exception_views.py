"""Views: named filters, own and shared (REC-9d)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from chassis import clock
from chassis.postgres import Connection
from reconciler.adapters import exception_views
from reconciler.adapters.exception_views import ViewRecord

VIEWS_MAX = 200
"""Views of one person."""


class Deletion(StrEnum):
    """What became of the wish to delete a view."""

    DONE = "done"
    UNKNOWN = "unknown"
    NOT_OWN = "not own"


class ViewRefusedError(Exception):
    """The view cannot be made.

    Attributes:
        kind: `view-exists` or `too-many-views`.
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


async def create_view(
    connection: Connection,
    *,
    name: str,
    members: Mapping[str, Any],
    owner: str,
    is_shared: bool,
    is_default: bool,
    now: datetime,
) -> ViewRecord:
    """Make a view of a checked filter.

    Raises:
        ViewRefusedError: the owner has a view of this name, or VIEWS_MAX views.
    """
    if await exception_views.count_own(connection, owner) >= VIEWS_MAX:
        raise ViewRefusedError("too-many-views", f"you have {VIEWS_MAX} views; delete one first")
    view = ViewRecord(clock.new_id(), name, members, owner, is_shared, now, is_default)
    if not await exception_views.insert(connection, view):
        raise ViewRefusedError("view-exists", f"you have a view {name!a}; delete it or take another name")
    if is_default:
        await exception_views.set_default(connection, owner, UUID(view.id))
    return view


async def list_views(
    connection: Connection, person: str, *, after: tuple[str, str] | None, rows_max: int
) -> Sequence[ViewRecord]:
    """Return a person's views and the shared ones, by name."""
    return await exception_views.list_visible(connection, person, after=after, rows_max=rows_max)


async def get_view(connection: Connection, view_id: UUID, person: str) -> ViewRecord | None:
    """Return a view that is the person's or shared; None for another."""
    return await exception_views.get_visible(connection, view_id, person)


async def make_default(connection: Connection, view_id: UUID, person: str) -> ViewRecord | None:
    """Let a person see this view first; None if it is neither theirs nor shared."""
    view = await exception_views.get_visible(connection, view_id, person)
    if view is None:
        return None
    await exception_views.set_default(connection, person, view_id)
    return replace(view, is_default=True)


async def delete_view(
    connection: Connection, view_id: UUID, person: str, *, may_delete_shared: bool
) -> Deletion:
    """Delete an own view, or a shared one of another person if the caller's role allows it."""
    view = await exception_views.get_visible(connection, view_id, person)
    if view is None:
        return Deletion.UNKNOWN
    if view.owner != person and not may_delete_shared:
        return Deletion.NOT_OWN
    await exception_views.delete(connection, view_id)
    return Deletion.DONE
