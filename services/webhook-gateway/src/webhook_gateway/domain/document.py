"""Parses a verified body: strict JSON (GW-12), or a form where the source sends forms."""

from enum import Enum, auto
from urllib.parse import parse_qsl

from contracts.reasons import RefusalReason
from webhook_gateway.domain import strict_json
from webhook_gateway.domain.identity import Headers
from webhook_gateway.domain.pointer import find
from webhook_gateway.domain.refused import Refused
from webhook_gateway.domain.strict_json import Document, Outline
from webhook_gateway.domain.verification import FORM, FORM_FIELDS_MAX, is_form

_TYPE, _CHALLENGE = ("type",), ("challenge",)
CHALLENGE_POINTERS = (_TYPE, _CHALLENGE)
"""What `find_challenge` looks at."""

_CHALLENGE_TYPE = "url_verification"


class FormKind(Enum):
    """How the forms of a source are read."""

    # An object of texts; of a repeated name the last counts.
    FIELDS = auto()
    # The JSON in the field `payload` where there is one, else an object of texts (Slack's interactions).
    EITHER = auto()
    # The JSON in the field `payload` (docs.github.com, "Creating webhooks", on the content type).
    PAYLOAD = auto()


def read_document(
    body: bytes, headers: Headers, outline: Outline | None = None, *, forms: FormKind | None
) -> Document | Refused:
    """Return the parsed body.

    A form with more fields than any sender writes is refused: anybody can send an unverified one.

    Args:
        body: as received.
        headers: of the request.
        outline: the values needed of a JSON body, or of JSON in a form; None: all.
        forms: how a form is read; None: forms are not accepted.
    """
    if forms and any(name == b"content-type" and is_form(value) for name, value in headers):
        return _read_form(body, outline, forms)
    return strict_json.parse(body, outline)


def _read_form(body: bytes, outline: Outline | None, forms: FormKind) -> Document | Refused:
    has_json = forms is FormKind.PAYLOAD or (
        forms is FormKind.EITHER and "payload" in (_fields(body, errors="replace") or {})
    )
    return _read_payload(body, outline) if has_json else _read_fields(body)


def _read_fields(body: bytes) -> Document | Refused:
    fields = _fields(body, errors="replace")
    return Refused(RefusalReason.BODY_NOT_JSON) if fields is None else Document(fields, FORM)


def _read_payload(body: bytes, outline: Outline | None) -> Document | Refused:
    # Bytes that are not UTF-8 reach the JSON parser unchanged and are refused there.
    fields = _fields(body, errors="surrogateescape") or {}
    payload = fields.get("payload", "").encode(errors="surrogateescape")
    document = strict_json.parse(payload, outline)
    return document if isinstance(document, Refused) else Document(document.value, FORM)


def _fields(body: bytes, *, errors: str) -> dict[str, str] | None:
    text = body.decode(errors=errors)
    try:
        return dict(parse_qsl(text, keep_blank_values=True, errors=errors, max_num_fields=FORM_FIELDS_MAX))
    except ValueError:
        return None


def find_challenge(document: Document) -> str | None:
    """Return the text that Slack expects back for a new URL (docs.slack.dev, `url_verification`)."""
    if find(document.value, _TYPE) != _CHALLENGE_TYPE:
        return None
    challenge = find(document.value, _CHALLENGE)
    return challenge if isinstance(challenge, str) and challenge.isprintable() else None
