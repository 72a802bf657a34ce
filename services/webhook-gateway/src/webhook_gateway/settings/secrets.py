"""Signing secrets from variables whose names configuration chooses (GW-6)."""

import os

from chassis.process.environment import SettingsError, read_variable_file
from chassis.process.published_secrets import find_published
from webhook_gateway.domain.verification import AcceptedScheme, Scheme, SecretError, read_secrets


def accept(
    scheme: Scheme, variable: str, public_url: str = "", *, is_production: bool = False
) -> AcceptedScheme:
    """Return a scheme with the secrets of a variable; none where it is not set: its deliveries answer 500.

    Raises:
        SettingsError: they cannot be used; names the variable, never the value.
    """
    text = _read(variable)
    if text is None:
        return AcceptedScheme(scheme, (), variable, public_url)
    if not text.strip():
        raise SettingsError(f"{variable} is empty: give it a value, or leave it unset")
    if is_production and (refusal := find_published({variable: text})):
        raise SettingsError(refusal)
    try:
        secrets = read_secrets(
            text, scheme.key_form, bytes_min=scheme.secret_bytes_min, look=scheme.secret_format
        )
    except SecretError as error:
        raise SettingsError(f"{variable} {error}") from None
    return AcceptedScheme(scheme, secrets, variable, public_url)


def _read(variable: str) -> str | None:
    """Return the variable's value, else the content of the file that `<variable>_FILE` names, else None."""
    written, filed = os.environ.get(variable), read_variable_file(variable)
    if written and filed is not None:
        raise SettingsError(f"{variable} and {variable}_FILE are both set: keep one of them")
    return written if filed is None else filed
