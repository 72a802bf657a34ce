"""Secrets and passwords that anybody can read: they stand in this repository, or in a provider's own pages.

With one of them in production, whoever has read it can sign anything, or log in. A test looks for the
defaults of the repository's files in this list.
"""

import re
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qs, unquote, urlsplit

PASSWORDS = frozenset({"development", "postgres", "password", "secret", "changeme", "plumbline"})
"""What a database, a broker or a key is given for want of a better one; the first is compose's."""

SECRETS = frozenset(
    {
        # deploy/compose.development.env
        "whsec_for_development_only_not_a_secret",
        "whsec_Zm9yIGRldmVsb3BtZW50IG9ubHksIG5vdCBhIHNlY3JldA==",
        # Examples in the pages and packages of those who send webhooks.
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "R2ZLM2o0bFhBNVpyUnU2NG9mYXQ1MHNyR3pvSUhIVVg=",
        "It's a Secret to Everybody",
        "8f742231b10e8888abcd99yyyzzz85a5",
        "Ibxx_5AKakO-3qeNVR61Dw",
        "pdl_ntf_01hbpjmytsa32fhr36nqgc3kgb_WvRO0eL4Bj9rgYYIBZY6wZhG4EHy9jzh",
        # Keys of examples of tokens: jwt.io, RFC 7515 appendix A.1, FastAPI's tutorial.
        "a-string-secret-at-least-256-bits-long",
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
        "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
        # Of this repository's tests.
        "whsec_test_secret",
        "whsec_abcdefghijklmnopqrstuvwxyz012345",
    }
)
"""Signing secrets, as their variables hold them."""

_PREFIX = "whsec_"
_REPEATED = re.compile(rf"(?:(?:{'|'.join(sorted(PASSWORDS))})[-_.]?)+|x{{8,}}|0{{8,}}", re.IGNORECASE)
"""A password written until it is long enough, or the row of letters that pages have in place of a secret."""


def is_published(text: str) -> bool:
    """Return whether one of the secrets in a variable's text, or the password of a connection string, is."""
    return any(
        _bare(each) in _BARE_SECRETS or _REPEATED.fullmatch(each.removeprefix(_PREFIX))
        for each in _secrets_of(text)
    )


def find_published(values: Mapping[str, str | None]) -> str:
    """Return why production may not start with these variables, in one line; empty where it may.

    Args:
        values: variable → its text, of variables that may hold a secret.
    """
    named = [variable for variable, text in values.items() if text and is_published(text)]
    if not named:
        return ""
    which = "holds a secret or password" if len(named) == 1 else "hold secrets or passwords"
    return (
        f"{', '.join(named)} {which} that anybody can read in Plumbline's repository or a provider's pages,"
        " although ENVIRONMENT=production: draw one of your own"
    )


def _secrets_of(text: str) -> Iterable[str]:
    yield text.strip()
    for part in text.split(","):
        yield part.partition(";")[0].strip()
    if "://" in text:
        yield from _passwords_of(text)


def _passwords_of(dsn: str) -> Iterable[str]:
    try:
        split = urlsplit(dsn)
        # Not `split.password`, which stumbles over several hosts.
        user, has_password, password = split.netloc.rpartition("@")[0].partition(":")
        parameters = parse_qs(split.query)
    except ValueError:
        return
    if user and has_password:
        yield unquote(password)
    yield from parameters.get("password", [])


def _bare(secret: str) -> str:
    """Return a secret without what may be left out of its writing, so that each has one spelling."""
    return secret.removeprefix(_PREFIX).rstrip("=")


_BARE_SECRETS = frozenset(map(_bare, SECRETS))
