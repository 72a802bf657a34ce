"""What a verified body says: strict JSON (GW-12), or a form where the source sends forms."""

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
    """What the forms of a source say."""

    FIELDS = auto()
    """An object of texts; of a repeated name the last counts."""
    EITHER = auto()
    """The JSON in the field `payload` where there is one, else an object of texts (Slack's interactions)."""
    PAYLOAD = auto()
    """The JSON in the field `payload` (docs.github.com, "Creating webhooks", on the content type)."""


def read_document(
    body: bytes, headers: Headers, outline: Outline | None = None, *, forms: FormKind | None
) -> Document | Refused:
    """The body, parsed.

    A form of more fields than any sender writes is refused: unverified ones come from anybody.

    Args:
        body: as received.
        headers: of the request.
        outline: what is wanted of a body that is JSON, or holds it; None: everything.
        forms: what it says if it is a form; None: it may be none.
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
    # What is no UTF-8 comes to the JSON as the bytes that it is, and is refused as it is without a form.
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
    """What Slack wants back when a URL is registered (docs.slack.dev, `url_verification`)."""
    if find(document.value, _TYPE) != _CHALLENGE_TYPE:
        return None
    challenge = find(document.value, _CHALLENGE)
    return challenge if isinstance(challenge, str) and challenge.isprintable() else None
