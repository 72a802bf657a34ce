"""Request bodies of runs."""

from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field, StrictBool

from chassis.http.json_bodies import RequestBody
from reconciler.domain.scopes import ALL, FORMS, TEXT_CHARACTERS_MAX, Scope, parse_scope


def _checked(text: str) -> str:
    parse_scope(text)
    return text


class RunRequest(RequestBody):
    """What a run reads, and whether it only shows its findings. Without a body: all bookings, for real."""

    EXAMPLE: ClassVar = {"scope": "all", "dry_run": True}

    scope: Annotated[
        str, Field(max_length=TEXT_CHARACTERS_MAX, description=FORMS), AfterValidator(_checked)
    ] = str(ALL)
    dry_run: StrictBool = False

    @property
    def parsed_scope(self) -> Scope:
        return parse_scope(self.scope)


class Cancellation(RequestBody):
    """Body of a cancellation: an empty object, or no body."""
