"""Request bodies of bulk operations (REC-9b)."""

from typing import Annotated, Any, ClassVar
from uuid import UUID

from pydantic import Field, StrictBool, StrictInt

from chassis.http.problems import InvalidRequestError
from contracts.wire import UtcDatetime
from reconciler.api.exception_filter import read_filter
from reconciler.api.requests import (
    Assignee,
    Body,
    CommentText,
    Reason,
    Size,
    to_size,
)
from reconciler.domain.exceptions import PersonsResolution
from reconciler.domain.operations import ITEMS_MAX, Action, PlannedStep, Selection, StepArguments
from reconciler.domain.step_requests import OCCURRENCES_MAX

TOKEN_CHARACTERS_MAX = 200

Count = Annotated[StrictInt, Field(ge=1, le=ITEMS_MAX)]


class OperationArguments(Body):
    """The body of the single step, without its reason: `resolve` takes `resolution` and `up_to`."""

    assignee: Assignee | None = None
    resolution: PersonsResolution | None = None
    up_to: Size | None = None
    until: UtcDatetime | None = None
    beyond: Size | None = None
    occurrences: Annotated[StrictInt, Field(ge=1, le=OCCURRENCES_MAX)] | None = None
    text: CommentText | None = None


class OperationBody(Body):
    """A step on many exceptions: those of a filter, as the list takes it, or those of ids.

    `reason` is that of each step; `acknowledge`, `assign` and `comment` need none. `dry_run: true` changes
    nothing and answers a plan with a token; without it `expected_count` is needed, and the operation starts.
    """

    EXAMPLE: ClassVar = {
        "ids": ["0192f0c1-2d3e-7a4b-8c5d-6e7f80910213"],
        "action": "resolve",
        "arguments": {"resolution": "fixed"},
        "reason": "the prices are corrected",
        "dry_run": True,
    }

    filter: dict[str, Any] | None = None
    ids: Annotated[list[UUID], Field(min_length=1, max_length=ITEMS_MAX)] | None = None
    action: Action
    arguments: OperationArguments | None = None
    reason: Reason | None = None
    dry_run: StrictBool = False
    expected_count: Count | None = None

    @property
    def selection(self) -> Selection:
        """Return the selection.

        Raises:
            Problem: 400; the filter has an unknown member or value.
            InvalidRequestError: filter and ids are both given, or neither.
        """
        if (self.filter is None) == (self.ids is None):
            raise InvalidRequestError(
                "filter", "give either filter or ids; {} selects every exception of the list"
            )
        if self.ids is not None:
            return Selection(ids=tuple(dict.fromkeys(str(each) for each in self.ids)))
        return Selection(query=read_filter(self.filter or {}, inside="filter"))

    @property
    def required_count(self) -> int | None:
        """Return the expected count; None for a dry run.

        Raises:
            InvalidRequestError: it is missing, or superfluous.
        """
        if self.dry_run and self.expected_count is not None:
            raise InvalidRequestError("expected_count", "a dry run expects none; send it when you apply")
        if not self.dry_run and self.expected_count is None:
            message = "missing; make a dry run first, or say how many exceptions you expect"
            raise InvalidRequestError("expected_count", message)
        return self.expected_count

    def step(self, by: str) -> PlannedStep:
        """Return the step that a person requests.

        Raises:
            InvalidRequestError: a text is not one of the action.
        """
        given = self.arguments or OperationArguments()
        if given.text is not None and self.action != "comment":
            raise InvalidRequestError("arguments.text", f"not an argument of {self.action}; give reason")
        if self.reason is not None and self.action == "comment":
            raise InvalidRequestError("reason", "a comment has none; give arguments.text")
        arguments = StepArguments(
            assignee=given.assignee,
            resolution=given.resolution,
            up_to=to_size(given.up_to),
            until=given.until,
            beyond=to_size(given.beyond),
            occurrences=given.occurrences,
        )
        return PlannedStep(self.action, arguments, given.text or self.reason or "", by)


class ApplyBody(Body):
    """What the dry run answered: how many exceptions the caller has seen selected, and its token."""

    EXAMPLE: ClassVar = {"expected_count": 12, "selection_token": "as the dry run answered it"}

    expected_count: Count
    selection_token: Annotated[str, Field(min_length=1, max_length=TOKEN_CHARACTERS_MAX)]


class OperationRevertBody(Body):
    """Why the operation is taken back."""

    EXAMPLE: ClassVar = {"reason": "the wrong filter"}

    reason: Reason
