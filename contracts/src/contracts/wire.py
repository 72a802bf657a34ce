"""The base of every message model, and the rules for all of them (design rule 11)."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict

from contracts.times import read_time

# RFC 3339 text in JSON. A moment with another offset is converted to UTC.
UtcDatetime = Annotated[datetime, BeforeValidator(read_time)]


class WireModel(BaseModel):
    """Immutable; unknown fields are ignored, so that a newer producer does not stop an older consumer."""

    # A field added inside v1 has a default, for messages written before; today's producer always writes it.
    model_config = ConfigDict(frozen=True, extra="ignore", json_schema_serialization_defaults_required=True)

    def to_bytes(self) -> bytes:
        """Return the record's value: compact JSON in UTF-8."""
        return self.model_dump_json().encode()
