"""Passwords and secrets of one stack: generated at the first start, readable by the owner only."""

import base64
import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from plumbline import atomic, signed_note
from plumbline.databases import LOGIN_ROLES
from plumbline.failure import StackError
from plumbline.signed_note import KeyKind

LOG_ORIGIN = "plumbline.local/audit"
"""Name of the embedded audit log and of its signing key."""

_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Credentials:
    """Passwords by login role, and the webhook secrets of the providers."""

    passwords: dict[str, str]
    stripe: str
    sms_legacy: str
    sms: str

    def environment(self) -> dict[str, str]:
        """Return the webhook secrets by the variables that the gateway reads."""
        return {
            "STRIPE_WEBHOOK_SECRET": self.stripe,
            "OPENPHONE_WEBHOOK_SECRET": self.sms_legacy,
            "QUO_WEBHOOK_SECRET": self.sms,
        }


def load(path: Path) -> Credentials:
    """Return the credentials of `path`; generate and write them if the file does not exist."""
    if not path.exists():
        generated = _generate()
        atomic.write_text(path, json.dumps(asdict(generated), indent=1), mode=atomic.PRIVATE)
        return generated
    try:
        return Credentials(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise StackError(
            f"{path} cannot be read ({error}): restore it, or remove it to generate new credentials"
        ) from error


def ensure_signing_keys(paths: Mapping[KeyKind, Path], name: str = LOG_ORIGIN) -> None:
    """Generate the audit log's signing keys whose files do not exist."""
    for kind, path in paths.items():
        if not path.exists():
            atomic.write_text(path, signed_note.new_private_key(name, kind) + "\n", mode=atomic.PRIVATE)


def _generate() -> Credentials:
    return Credentials(
        passwords={role: secrets.token_urlsafe(24) for role in LOGIN_ROLES},
        stripe=f"whsec_{secrets.token_hex(_SECRET_BYTES)}",
        sms_legacy=_base64(),
        sms=f"whsec_{_base64()}",
    )


def _base64() -> str:
    return base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()
