"""The base of every message model, and the rules that all of them keep (design rule 11)."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:  # the first or last day of the calendar, seen from another offset
        raise ValueError("a time outside of the years 1 to 9999 in UTC") from error


UtcDatetime = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A moment; a time without an offset is refused, and whatever offset it has, it is kept in UTC."""


class WireModel(BaseModel):
    """Immutable; unknown fields are ignored, so that a newer producer does not stop an older consumer."""

    # A field added inside v1 has a default, for messages written before; today's producer always writes it.
    model_config = ConfigDict(frozen=True, extra="ignore", json_schema_serialization_defaults_required=True)

    def to_bytes(self) -> bytes:
        """The record's value: compact JSON in UTF-8."""
        return self.model_dump_json().encode()
