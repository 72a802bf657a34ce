"""Passwords and secrets of one stack: drawn at the first start, readable by its owner only."""

import base64
import json
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from plumbline import atomic, signed_note
from plumbline.databases import LOGIN_ROLES
from plumbline.failure import StackError

LOG_ORIGIN = "plumbline.local/audit"
"""The embedded audit log's name, which its signing key carries too."""

_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Credentials:
    """Passwords by login role, and what the providers' signatures are made with."""

    passwords: dict[str, str]
    stripe: str
    sms_legacy: str
    sms: str

    def environment(self) -> dict[str, str]:
        """The webhook secrets under the variables that the gateway reads."""
        return {
            "STRIPE_WEBHOOK_SECRET": self.stripe,
            "OPENPHONE_WEBHOOK_SECRET": self.sms_legacy,
            "QUO_WEBHOOK_SECRET": self.sms,
        }


def load(path: Path) -> Credentials:
    """What stands in `path`; the first time, new ones are drawn and written there."""
    if not path.exists():
        fresh = _draw()
        atomic.write_text(path, json.dumps(asdict(fresh), indent=1), mode=atomic.PRIVATE)
        return fresh
    try:
        return Credentials(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise StackError(
            f"{path} cannot be read ({error}): restore it, or remove it to draw new ones"
        ) from error


def ensure_signing_key(path: Path, name: str = LOG_ORIGIN) -> None:
    """Make the audit log's key at the first start."""
    if not path.exists():
        atomic.write_text(path, signed_note.new_private_key(name) + "\n", mode=atomic.PRIVATE)


def _draw() -> Credentials:
    return Credentials(
        passwords={role: secrets.token_urlsafe(24) for role in LOGIN_ROLES},
        stripe=f"whsec_{secrets.token_hex(_SECRET_BYTES)}",
        sms_legacy=_base64(),
        sms=f"whsec_{_base64()}",
    )


def _base64() -> str:
    return base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()
