"""Signing secrets: reading them as providers write them, and showing them without giving them away."""

import base64
import binascii
import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime

from webhook_gateway.domain.verification.algorithms import public_key_error
from webhook_gateway.domain.verification.scheme import SECRET_BYTES_MIN, KeyForm

_PREFIXES = {KeyForm.WHSEC_BASE64: "whsec_", KeyForm.WHPK_BASE64: "whpk_"}
_UNTIL = ";until="
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
        """Whether a delivery that arrives now may be signed with it."""
        return self.ends_at is None or now < self.ends_at

    @property
    def fingerprint(self) -> str:
        """Enough to tell two secrets apart, of no use for signing."""
        return hashlib.sha256(self.key).hexdigest()[:_FINGERPRINT_CHARACTERS]


def read_secret(
    text: str, form: KeyForm, ends_at: datetime | None = None, *, bytes_min: int = SECRET_BYTES_MIN
) -> Secret:
    """A secret as the provider's dashboard shows it.

    Raises:
        SecretError: it is empty, not in the scheme's form, or its key is shorter than `bytes_min`.
    """
    key = _decoded(text.strip(), form)
    if not key:
        raise SecretError("is empty")
    if len(key) < bytes_min:
        raise SecretError(f"holds a key of {len(key)} bytes; at least {bytes_min} are needed")
    if error := public_key_error(key, form):
        raise SecretError(error)
    return Secret(key, ends_at)


def read_secrets(text: str, form: KeyForm, *, bytes_min: int = SECRET_BYTES_MIN) -> tuple[Secret, ...]:
    """Several secrets, comma-separated; one that shall end is written `<secret>;until=<RFC 3339 time>`.

    Raises:
        SecretError: one of them cannot be used, or ends outside the years 1 to 9999 in UTC.
    """
    return tuple(_read_with_end(part.strip(), form, bytes_min) for part in text.split(","))


def _read_with_end(text: str, form: KeyForm, bytes_min: int) -> Secret:
    written, mark, end = text.partition(_UNTIL)
    if not mark:
        return read_secret(written, form, bytes_min=bytes_min)
    try:
        ends_at = datetime.fromisoformat(end)
        # Whoever shows or counts it does so in UTC, which has no year 0 and no year 10000.
        moment = (ends_at if ends_at.tzinfo else ends_at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise SecretError(
            f'ends at no time: after "{_UNTIL}" comes a time like 2026-12-01T00:00:00Z,'
            " not beyond the year 9999"
        ) from error
    return read_secret(written, form, moment, bytes_min=bytes_min)


def _decoded(text: str, form: KeyForm) -> bytes:
    if form is KeyForm.TEXT:
        try:
            return text.encode()
        except UnicodeEncodeError:  # half a surrogate pair: bytes of the environment that are no UTF-8
            raise SecretError("is not UTF-8") from None  # the error holds the secret
    text = text.removeprefix(_PREFIXES.get(form, ""))
    padding = "=" * (-len(text) % 4)
    try:
        return base64.b64decode(text + padding, validate=True)
    except (binascii.Error, ValueError) as error:
        raise SecretError("is not base64, as this scheme writes its keys") from error
