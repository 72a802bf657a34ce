"""Signing secrets: reading them as providers write them, and showing them without giving them away."""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass, field
from datetime import datetime

from contracts.times import TimeError, parse_time
from webhook_gateway.domain.verification.algorithms import public_key_error
from webhook_gateway.domain.verification.mistakes import find_mistake
from webhook_gateway.domain.verification.scheme import SECRET_BYTES_MIN, KeyForm, SecretFormat

_PREFIXES = {KeyForm.WHSEC_BASE64: "whsec_", KeyForm.WHPK_BASE64: "whpk_"}
# Some consoles show `v1,whsec_…`: the version of the signatures, and a comma that parts no two secrets.
_VERSION = re.compile(r"(?:^|(?<=,))\s*v1a?,\s*(?=whsec_|whpk_)")
_UNTIL = re.compile(r";\s*until\s*=\s*", re.IGNORECASE)
# Taken for a part of the key, a slip in the end of a secret would close the door that is open.
_NEARLY_UNTIL = re.compile(r";\s*\w{0,16}\s*[=:]?\s*\d{4}-\d\d")
_UNTIL_WRITTEN = "<secret>;until=2026-12-01T00:00:00Z"
_FINGERPRINT_CHARACTERS = 12


class SecretError(ValueError):
    """The secret cannot be used; the message says why and never contains it."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A key that may sign deliveries.

    Attributes:
        key: the HMAC key, or the sender's public key.
        ends_at: from this moment on the secret counts no more (rotation, GW-6); None: it has no end.
    """

    key: bytes = field(repr=False)
    ends_at: datetime | None = None

    def is_live(self, now: datetime) -> bool:
        """Return whether a delivery that arrives at `now` may be signed with this secret."""
        return self.ends_at is None or now < self.ends_at

    @property
    def fingerprint(self) -> str:
        """A digest that tells two secrets apart and is of no use for signing."""
        return hashlib.sha256(self.key).hexdigest()[:_FINGERPRINT_CHARACTERS]


_ANY_LOOK = SecretFormat()


def read_secret(
    text: str,
    form: KeyForm,
    ends_at: datetime | None = None,
    *,
    bytes_min: int = SECRET_BYTES_MIN,
    look: SecretFormat = _ANY_LOOK,
) -> Secret:
    """Return a secret as the provider's dashboard shows it.

    Raises:
        SecretError: it is empty, cannot be a secret of this look, is not in the scheme's form, or its key is
            shorter than `bytes_min`.
    """
    if mistake := find_mistake(text.strip(), look):
        raise SecretError(mistake)
    key = _decoded(text.strip(), form)
    if not key:
        raise SecretError("is empty")
    if len(key) < bytes_min:
        raise SecretError(f"holds a key of {len(key)} bytes; at least {bytes_min} are needed")
    if error := public_key_error(key, form):
        raise SecretError(error)
    return Secret(key, ends_at)


def read_secrets(
    text: str, form: KeyForm, *, bytes_min: int = SECRET_BYTES_MIN, look: SecretFormat = _ANY_LOOK
) -> tuple[Secret, ...]:
    """Return several secrets, comma-separated; one that ends is written `<secret>;until=<RFC 3339 time>`.

    `v1,whsec_…` is one secret where the scheme's keys are written behind `whsec_`.

    Raises:
        SecretError: one of them cannot be used, or ends outside the years 1 to 9999 in UTC.
    """
    has_version = _VERSION.search(text) is not None
    if has_version and form not in _PREFIXES:
        raise SecretError('has "v1," before a secret, as Standard Webhooks writes it: is it of this sender?')
    parts = [part.strip() for part in _VERSION.sub("", text).split(",")]
    if len(parts) > 1 and not all(parts):
        raise SecretError("has a comma with nothing before or behind it")
    return tuple(_read_with_end(part, form, bytes_min, look) for part in parts)


def _read_with_end(text: str, form: KeyForm, bytes_min: int, look: SecretFormat) -> Secret:
    written, *end = _UNTIL.split(text, maxsplit=1)
    if not end:
        if _NEARLY_UNTIL.search(text):
            raise SecretError(f'has something like an end that is none: write "{_UNTIL_WRITTEN}"')
        return read_secret(written, form, bytes_min=bytes_min, look=look)
    try:
        moment = parse_time(end[0])
    except TimeError as error:
        raise SecretError(f'ends at no time: write "{_UNTIL_WRITTEN}", not beyond the year 9999') from error
    return read_secret(written, form, moment, bytes_min=bytes_min, look=look)


def _decoded(text: str, form: KeyForm) -> bytes:
    if form is KeyForm.TEXT:
        try:
            return text.encode()
        except UnicodeEncodeError:  # half a surrogate pair: bytes of the environment that are no UTF-8
            raise SecretError("is not UTF-8") from None  # the error holds the secret
    prefix = _PREFIXES.get(form, "")
    digits = text.removeprefix(prefix)
    padding = "=" * (-len(digits) % 4)
    try:
        return base64.b64decode(digits + padding, validate=True)
    except (binascii.Error, ValueError) as error:
        raise SecretError(f"is not base64{_hint(text, prefix)}") from error


def _hint(text: str, prefix: str) -> str:
    """Return a hint at the probable mistake, without quoting the text."""
    keys = (
        f"this scheme's keys begin with {prefix}"
        if prefix
        else "this scheme's keys begin with nothing of the kind"
    )
    for other in _PREFIXES.values():
        if other != prefix and text.startswith(other) and text != other:
            return f": it begins with {other}, and {keys}"
    return ", as this scheme writes its keys" + (f" behind {prefix}" if prefix else "")
