"""Request bodies of the dead letter routes."""

from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field, StrictBool, StringConstraints, field_validator

from chassis.dead_letters.operator.selection import build_filter
from chassis.dead_letters.queries import Filter
from chassis.http.json_bodies import RequestBody
from chassis.http.problems import Problem
from contracts.reasons import SetAsideReason
from contracts.text import sanitize_for_postgres
from contracts.wire import UtcDatetime

REASON_CHARACTERS_MAX = 500

Reason = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=REASON_CHARACTERS_MAX),
    AfterValidator(sanitize_for_postgres),
]
DryRun = Annotated[StrictBool, Field(description="only count what would be done")]


class Selection(RequestBody):
    """Waiting messages, by the filters of the list. All given filters must match; at least one is given."""

    key: str | None = None
    topic: str | None = None
    reason: SetAsideReason | None = Field(None, description="why it was set aside")
    set_aside_before: UtcDatetime | None = None
    set_aside_since: UtcDatetime | None = None

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_empty(cls, value: object) -> object:
        # A variable that a script left unset would otherwise select more than the script's author intended.
        if value is None or (isinstance(value, str) and not value.strip()):
            raise ValueError("empty; leave it away or give it a value")
        return value

    def to_filter(self) -> Filter:
        """Return the selection as a filter.

        Raises:
            Problem: no filter is given, which would select everything.
        """
        criteria = build_filter(
            topic=self.topic,
            key=None if self.key is None else self.key.encode(errors="replace"),
            reason=self.reason,
            set_aside_before=self.set_aside_before,
            set_aside_since=self.set_aside_since,
        )
        if criteria == Filter():
            names = ", ".join(type(self).model_fields)
            raise Problem(400, "selection-empty", f"say which dead letters: give one of {names}")
        return criteria


class ReplayRequest(RequestBody):
    """The reason of a replay, for the record."""

    EXAMPLE: ClassVar = {"reason": "the handler is corrected", "dry_run": True}

    reason: Reason | None = Field(None, description="for example, what was fixed")
    dry_run: DryRun = False


class DiscardRequest(RequestBody):
    """The reason why a message will never be applied."""

    EXAMPLE: ClassVar = {"reason": "a test message", "dry_run": True}

    reason: Reason
    dry_run: DryRun = False


class BulkReplayRequest(RequestBody):
    """Every line (topic and key) that holds a message of the selection is replayed, whole and in order."""

    EXAMPLE: ClassVar = {
        "selection": {"topic": "reconciliation.commands.v1", "set_aside_before": "2026-12-01T15:00:00Z"},
        "dry_run": True,
    }

    selection: Selection
    reason: Reason | None = Field(None, description="for example, what was fixed")
    dry_run: DryRun = False


class BulkDiscardRequest(RequestBody):
    """The messages of the selection are discarded, and no others of their lines."""

    EXAMPLE: ClassVar = {
        "selection": {"topic": "reconciliation.commands.v1"},
        "reason": "test messages",
        "dry_run": True,
    }

    selection: Selection
    reason: Reason
    dry_run: DryRun = False
