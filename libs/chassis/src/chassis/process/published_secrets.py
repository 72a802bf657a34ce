"""Published secrets and passwords: those of this repository and of providers' documentation.

With one of them in production, every reader could sign deliveries or log in. A test checks that the list
holds the defaults of this repository's files.
"""

import re
from collections.abc import Iterable, Mapping
from urllib.parse import parse_qs, unquote, urlsplit

PASSWORDS = frozenset({"development", "postgres", "password", "secret", "changeme", "plumbline"})
"""Passwords of examples; `development` is that of the compose file."""

SECRETS = frozenset(
    {
        # deploy/compose.development.env
        "whsec_for_development_only_not_a_secret",
        "whsec_Zm9yIGRldmVsb3BtZW50IG9ubHksIG5vdCBhIHNlY3JldA==",
        "PRIVATE+KEY+plumbline.local/audit+d8780094+AR8ScsXbLh5+OrcFTZiqhHbhCzUU5vWR9YqFluJrA0Xu",
        "PRIVATE+KEY+plumbline.local/audit+8d7d7cf8+BpaZLKmt9bUy/Cp9T+NvpKiHIozSwIUdf2NdkA/+wJYI",
        # Examples in the documentation and packages of webhook providers.
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "R2ZLM2o0bFhBNVpyUnU2NG9mYXQ1MHNyR3pvSUhIVVg=",
        "It's a Secret to Everybody",
        "8f742231b10e8888abcd99yyyzzz85a5",
        "Ibxx_5AKakO-3qeNVR61Dw",
        "pdl_ntf_01hbpjmytsa32fhr36nqgc3kgb_WvRO0eL4Bj9rgYYIBZY6wZhG4EHy9jzh",
        # Example keys of tokens: jwt.io, RFC 7515 appendix A.1, FastAPI's tutorial.
        "a-string-secret-at-least-256-bits-long",
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
        "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
        # Tests of this repository.
        "whsec_test_secret",
        "whsec_abcdefghijklmnopqrstuvwxyz012345",
    }
)
"""Signing secrets in the form of their variables."""

_PREFIX = "whsec_"
# A password repeated until it is long enough, or a placeholder such as xxxxxxxx.
_REPEATED = re.compile(rf"(?:(?:{'|'.join(sorted(PASSWORDS))})[-_.]?)+|x{{8,}}|0{{8,}}", re.IGNORECASE)


def is_published(text: str) -> bool:
    """Return whether a variable holds a published secret or a published password."""
    return any(
        _bare(each) in _BARE_SECRETS or _REPEATED.fullmatch(each.removeprefix(_PREFIX))
        for each in _secrets_of(text)
    )


def find_published(values: Mapping[str, str | None]) -> str:
    """Return one line that names the variables with published secrets; empty if there are none.

    Args:
        values: variable → text, of all variables that may hold a secret.
    """
    variables = [variable for variable, text in values.items() if text and is_published(text)]
    if not variables:
        return ""
    which = "holds a secret or password" if len(variables) == 1 else "hold secrets or passwords"
    return (
        f"{', '.join(variables)} {which} that anybody can read in Plumbline's repository or a provider's"
        " pages, although ENVIRONMENT=production: draw one of your own"
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
        # `split.password` fails for several hosts.
        user, has_password, password = split.netloc.rpartition("@")[0].partition(":")
        parameters = parse_qs(split.query)
    except ValueError:
        return
    if user and has_password:
        yield unquote(password)
    yield from parameters.get("password", [])


def _bare(secret: str) -> str:
    """Return a secret without optional prefix and padding, so that it has one spelling."""
    return secret.removeprefix(_PREFIX).rstrip("=")


_BARE_SECRETS = frozenset(map(_bare, SECRETS))
