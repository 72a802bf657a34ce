"""What a verified body says: strict JSON (GW-12), or a form where the source sends forms."""

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


def read_document(
    body: bytes, headers: Headers, outline: Outline | None = None, *, forms_allowed: bool
) -> Document | Refused:
    """The body, parsed. A form becomes an object of texts; of a repeated name the last counts.

    A form of more fields than any sender writes is refused: unverified ones come from anybody.

    Args:
        body: as received.
        headers: of the request.
        outline: what is wanted of a body that is JSON; None: everything.
        forms_allowed: whether it may be a form.
    """
    if forms_allowed and any(name == b"content-type" and is_form(value) for name, value in headers):
        return _read_form(body)
    return strict_json.parse(body, outline)


def _read_form(body: bytes) -> Document | Refused:
    text = body.decode(errors="replace")
    try:
        fields = parse_qsl(text, keep_blank_values=True, max_num_fields=FORM_FIELDS_MAX)
    except ValueError:
        return Refused(RefusalReason.BODY_NOT_JSON)
    return Document(dict(fields), FORM)


def find_challenge(document: Document) -> str | None:
    """What Slack wants back when a URL is registered (docs.slack.dev, `url_verification`)."""
    if find(document.value, _TYPE) != _CHALLENGE_TYPE:
        return None
    challenge = find(document.value, _CHALLENGE)
    return challenge if isinstance(challenge, str) and challenge.isprintable() else None
