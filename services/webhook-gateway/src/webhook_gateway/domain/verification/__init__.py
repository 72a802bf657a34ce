"""Signature verification as data: a `Scheme` describes how a provider signs, one engine interprets it."""

from webhook_gateway.domain.verification.called import FORM, FORM_FIELDS_MAX, is_form
from webhook_gateway.domain.verification.engine import AcceptedScheme, Verified, verify
from webhook_gateway.domain.verification.keys import Secret, SecretError, read_secret, read_secrets
from webhook_gateway.domain.verification.providers import SCHEMES
from webhook_gateway.domain.verification.scheme import Scheme
from webhook_gateway.domain.verification.signing import CannotSignError, Sending, sign, sign_with

__all__ = [
    "FORM",
    "FORM_FIELDS_MAX",
    "SCHEMES",
    "AcceptedScheme",
    "CannotSignError",
    "Scheme",
    "Secret",
    "SecretError",
    "Sending",
    "Verified",
    "is_form",
    "read_secret",
    "read_secrets",
    "sign",
    "sign_with",
    "verify",
]
