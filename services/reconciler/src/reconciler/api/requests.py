"""Request bodies."""

from typing import Annotated, ClassVar

from pydantic import AfterValidator, ConfigDict, Field, StrictBool, StrictInt

from chassis.http.json_bodies import RequestBody
from contracts.ids import has_id_form
from contracts.money import Money
from contracts.text import sanitize_for_postgres
from contracts.wire import UtcDatetime
from reconciler.domain.exceptions import PersonsResolution
from reconciler.domain.filters import NOBODY
from reconciler.domain.step_requests import AMOUNT_MINOR_UNITS_MAX, OCCURRENCES_MAX

REASON_CHARACTERS_MAX = 1000
COMMENT_CHARACTERS_MAX = 4000
ASSIGNEE_CHARACTERS_MAX = 200


def _assignee(text: str) -> str:
    # The id stands in the history, which keeps no personal data.
    if not has_id_form(text):
        raise ValueError("expected an id such as ana or user-7: letters, digits and . _ : / | -")
    if text == NOBODY:
        raise ValueError(f"{NOBODY} stands for exceptions without an assignee: choose a person's id")
    return text


Text = Annotated[str, AfterValidator(sanitize_for_postgres)]
Reason = Annotated[Text, Field(min_length=1, max_length=REASON_CHARACTERS_MAX)]
CommentText = Annotated[Text, Field(min_length=1, max_length=COMMENT_CHARACTERS_MAX)]
Assignee = Annotated[str, Field(min_length=1, max_length=ASSIGNEE_CHARACTERS_MAX), AfterValidator(_assignee)]
MinorUnits = Annotated[StrictInt, Field(ge=0, le=AMOUNT_MINOR_UNITS_MAX)]


class Body(RequestBody):
    """Base of the bodies of steps. White space around texts is dropped."""

    model_config = ConfigDict(str_strip_whitespace=True)


class SizeBody(Body):
    """A size in minor units and its currency."""

    amount: MinorUnits
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]


Size = MinorUnits | SizeBody
"""In minor units, bare or with the currency, which must then be the exception's."""


def to_size(size: Size | None) -> int | Money | None:
    """Return a size as the domain knows it."""
    return Money(size.amount, size.currency) if isinstance(size, SizeBody) else size


class AcknowledgeBody(Body):
    """Acknowledging takes no options: an empty object, or no body."""


class AssignBody(Body):
    """Who shall work on the exception: the person's id."""

    EXAMPLE: ClassVar = {"assignee": "ana"}

    assignee: Assignee


class ResolveBody(Body):
    """How the exception is resolved.

    `up_to`: size of the difference, in minor units of the exception's currency, up to which the resolution
    holds when the problem is seen again. Left out: the present size. `fixed` takes none: it never holds.
    """

    EXAMPLE: ClassVar = {"resolution": "accepted", "reason": "rounding", "up_to": 200}

    resolution: PersonsResolution
    reason: Reason
    up_to: Size | None = None


class ReopenBody(Body):
    """Why the exception is opened again."""

    EXAMPLE: ClassVar = {"reason": "the client has complained again"}

    reason: Reason


class SuppressBody(Body):
    """Until when the exception rests: the first of those that are given, at least one.

    `until`: a time in the future. `beyond`: size of the difference in minor units; a larger one wakes.
    `occurrences`: how many times more it may be seen.
    """

    EXAMPLE: ClassVar = {"until": "2026-12-01T15:00:00Z", "reason": "the client pays on Friday"}

    until: UtcDatetime | None = None
    beyond: Size | None = None
    occurrences: Annotated[StrictInt, Field(ge=1, le=OCCURRENCES_MAX)] | None = None
    reason: Reason


class CommentBody(Body):
    """A text for the exception's history."""

    EXAMPLE: ClassVar = {"text": "Asked the client for the receipt"}

    text: CommentText


class RevertBody(Body):
    """Why the last step of a person is taken back."""

    EXAMPLE: ClassVar = {"reason": "the wrong exception"}

    reason: Reason


class SweepRequest(RequestBody):
    """A sweep: from a time on, or from where the last finished one ended; `dry_run` only counts."""

    EXAMPLE: ClassVar = {"since": "2026-11-24T15:00:00Z", "dry_run": True}

    since: UtcDatetime | None = None
    dry_run: StrictBool = False
