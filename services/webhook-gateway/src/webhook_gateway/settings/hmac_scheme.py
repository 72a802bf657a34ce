"""A scheme of the HMAC family, described in the sources file: what is accepted signs and verifies (GW-1).

docs/sources.md describes the format. A template is literal text and its fields, nothing else of Python's
format strings: the side that signs and the side that verifies would read the rest differently.
"""

import re
import string
from datetime import UTC, datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from webhook_gateway.domain.verification import (
    FORM,
    AcceptedScheme,
    Scheme,
    Secret,
    UnsignedDelivery,
    Verified,
    sign,
    verify,
)
from webhook_gateway.domain.verification.scheme import WINDOW_SECONDS_MAX, Encoding, KeyForm, TimestampUnit
from webhook_gateway.domain.verification.templates import compile_scheme, split_items

ITEM_CHARACTERS_MAX = 128
"""Four of them, with signatures of any digest, stay below what is read of a header."""

_SIGNED_FIELD = re.compile(r"\{(?:id|timestamp|body|url|request_url|form)\}")
_ITEM_FIELD = re.compile(r"\{(?:timestamp|signature)\}")
_NAME = re.compile(r"[a-z0-9-]{1,64}")
_BRACE = re.compile(r"[{}]")
_SIGNATURE_CHARACTERS = {
    Encoding.HEX: frozenset(string.digits + "abcdef"),
    Encoding.BASE64: frozenset(string.ascii_letters + string.digits + "+/="),
}
# Say something else in every request (RFC 9110, RFC 9112).
_HTTP_HEADERS = frozenset(
    {
        *("connection", "content-encoding", "content-length", "content-type", "expect", "host"),
        *("keep-alive", "te", "trailer", "transfer-encoding", "upgrade"),
    }
)

_SAMPLE_AT = datetime(2026, 1, 1, tzinfo=UTC)
_SAMPLE_SECRET = Secret(b"of a delivery that nobody sends")
_SAMPLE_URL = "https://hooks.example.com/webhooks/acme"


class Table(BaseModel):
    """A table of the file: unknown keys are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def _header_name(written: str) -> str:
    name = written.lower()  # as ASGI hands it over
    if not _NAME.fullmatch(name):
        raise ValueError("is no name of a header: letters, digits and hyphens, 64 at most")
    if name in _HTTP_HEADERS:
        raise ValueError(f"is no header for it: {name} is HTTP's own")
    return name


def _header_text(text: str) -> str:
    if not (text.isascii() and text.isprintable()):
        raise ValueError("is no text of a header: write printable ASCII")
    return text


def _signed(text: str) -> str:
    if _BRACE.search(_SIGNED_FIELD.sub("", text)):
        raise ValueError(
            "may hold {id}, {timestamp}, {body}, {url}, {request_url} and {form}, written so,"
            " and no other brace"
        )
    return text


def _item(text: str) -> str:
    if _BRACE.search(_ITEM_FIELD.sub("", text)):
        raise ValueError("may hold {timestamp} and {signature}, written so, and no other brace")
    fields = _ITEM_FIELD.findall(text)
    if len(fields) > len(set(fields)):
        raise ValueError("may hold {timestamp} and {signature} once each")
    return text


_HeaderName = Annotated[str, AfterValidator(_header_name)]
_Item = Annotated[
    str, Field(max_length=ITEM_CHARACTERS_MAX), AfterValidator(_header_text), AfterValidator(_item)
]


class HmacTable(Table):
    """A scheme of the HMAC family, described in full. The fields are those of `Scheme`."""

    header: _HeaderName
    items: list[_Item] = Field(["{signature}"], min_length=1, max_length=4)
    separator: Annotated[str, Field(max_length=2), AfterValidator(_header_text)] = ""
    signed: Annotated[str, AfterValidator(_signed)] = "{body}"
    digest: Literal["sha1", "sha256", "sha384", "sha512"] = "sha256"
    encoding: Encoding = Encoding.HEX
    key_form: Literal[KeyForm.TEXT, KeyForm.BASE64, KeyForm.WHSEC_BASE64] = KeyForm.TEXT
    timestamp_unit: TimestampUnit | None = None
    timestamp_header: _HeaderName | None = None
    id_header: _HeaderName | None = None
    window_seconds_max: Annotated[int, Field(ge=1, le=3600)] = WINDOW_SECONDS_MAX

    @model_validator(mode="after")
    def _is_sound(self) -> Self:
        if not any("{signature}" in item for item in self.items):
            raise ValueError("items: one of them has to hold {signature}")
        if "{body}" not in self.signed and "{form}" not in self.signed:
            raise ValueError("signed: has to hold {body} or {form}, or anybody could change the body")
        has_timestamp = self.timestamp_header is not None or any("{timestamp}" in item for item in self.items)
        used = "{timestamp}" in self.signed
        if not has_timestamp == used == (self.timestamp_unit is not None):
            raise ValueError(
                "a timestamp has to be sent (items or timestamp_header), signed, and have a timestamp_unit:"
                " all three or none"
            )
        if (self.id_header is not None) != ("{id}" in self.signed):
            raise ValueError("id_header and {id} in signed: both or none")
        names = [name for name in (self.header, self.timestamp_header, self.id_header) if name]
        if len(names) > len(set(names)):
            raise ValueError("header, timestamp_header and id_header: each has to be another one")
        self._check_value()
        if not _verifies_what_it_signs(self.scheme()):
            raise ValueError("items: each {signature} needs one {timestamp}, in its own item or once for all")
        return self

    def _check_value(self) -> None:
        """Raise if the header's items could be confused with certain signatures or timestamps."""
        if len(self.items) > 1 and not self.separator:
            raise ValueError("separator: is missing between several items")
        written = [item.format(timestamp="0", signature="0") for item in self.items]
        value = self.separator.join(written)
        if value != value.strip():
            raise ValueError("items: a header's value neither begins nor ends with a space (RFC 9110 §5.5)")
        form = compile_scheme(self.scheme())
        if form.ordinary is not None:
            return  # it is read as a whole
        items = [item.strip().encode() for item in written]
        is_within = self.separator and split_items(value.encode(), form.separator) != items
        if is_within or not _SIGNATURE_CHARACTERS[self.encoding].isdisjoint(self.separator):
            raise ValueError("separator: may not stand within an item, a signature or a timestamp")

    def scheme(self) -> Scheme:
        """Return the described scheme."""
        fields = self.model_dump(exclude={"header", "items"})
        return Scheme(name="hmac", signature_header=self.header, items=tuple(self.items), **fields)


def _verifies_what_it_signs(scheme: Scheme) -> bool:
    """Return whether a header that a sender writes by the description verifies.

    It is not where two items hold a timestamp that all signatures share, or where one has none.
    """
    content_type = FORM if "{form}" in scheme.signed else "application/json"
    sending = UnsignedDelivery(b"", _SAMPLE_AT, "msg_1", _SAMPLE_URL, content_type=content_type)
    headers = {**sign(scheme, _SAMPLE_SECRET, sending), "content-type": content_type}
    accepted = AcceptedScheme(scheme, (_SAMPLE_SECRET,), public_url=_SAMPLE_URL)
    written = [(name.encode(), value.encode()) for name, value in headers.items()]
    return isinstance(verify(written, b"", [accepted], _SAMPLE_AT), Verified)
