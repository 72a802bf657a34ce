"""Signature verification as data: a `Scheme` describes how a provider signs, one engine interprets it."""

from webhook_gateway.domain.verification.canonical_request import FORM, FORM_FIELDS_MAX, is_form
from webhook_gateway.domain.verification.engine import AcceptedScheme, Verified, verify
from webhook_gateway.domain.verification.keys import Secret, SecretError, read_secret, read_secrets
from webhook_gateway.domain.verification.providers import SCHEMES
from webhook_gateway.domain.verification.scheme import Scheme
from webhook_gateway.domain.verification.signing import CannotSignError, UnsignedDelivery, sign, sign_with

__all__ = [
    "FORM",
    "FORM_FIELDS_MAX",
    "SCHEMES",
    "AcceptedScheme",
    "CannotSignError",
    "Scheme",
    "Secret",
    "SecretError",
    "UnsignedDelivery",
    "Verified",
    "is_form",
    "read_secret",
    "read_secrets",
    "sign",
    "sign_with",
    "verify",
]
