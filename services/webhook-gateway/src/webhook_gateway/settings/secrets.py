"""Signing secrets from variables whose names configuration chooses (GW-6)."""

import os
from pathlib import Path

from chassis.settings import SettingsError
from webhook_gateway.domain.verification import AcceptedScheme, Scheme, SecretError, read_secrets


def accept(scheme: Scheme, variable: str, text: str | None, public_url: str = "") -> AcceptedScheme:
    """A scheme with the secrets of a variable; none where it is not set, and its deliveries answer 500.

    Raises:
        SettingsError: they cannot be used; names the variable, never the value.
    """
    if text is None:
        return AcceptedScheme(scheme, (), variable, public_url)
    if not text.strip():
        raise SettingsError(f"{variable} is empty: give it a value, or leave it unset")
    try:
        secrets = read_secrets(text, scheme.key_form, bytes_min=scheme.secret_bytes_min)
    except SecretError as error:
        raise SettingsError(f"{variable} {error}") from None
    return AcceptedScheme(scheme, secrets, variable, public_url)


def read_variable(variable: str) -> str | None:
    """The variable's value, else the contents of the file that `<variable>_FILE` names, else None.

    Raises:
        SettingsError: the file cannot be read.
    """
    if (value := os.environ.get(variable)) is not None:
        return value
    path = os.environ.get(f"{variable}_FILE")
    if not path:
        return None
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{variable}_FILE: cannot read {path}: {type(error).__name__}") from None
