"""Settings that protect: what they are, in one line each, and slips that leave them off (GW-8, ALL-4)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from plumbline.known_names import KNOWN

VALIDATION, TOKENS = "ENABLE_WEBHOOK_VALIDATION", "AUTH_MODE"
_CLOSE = 0.85


@dataclass(frozen=True, slots=True)
class Protection:
    """One protection: whether it is on, and a line that says so and how to change it."""

    line: str
    is_on: bool


def protections(environ: Mapping[str, str]) -> list[Protection]:
    """Return what the services make of these variables: verification of webhooks, and tokens."""
    return [_validation(environ.get(VALIDATION)), _tokens(environ.get(TOKENS))]


def slips(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield a line for each variable whose name is nearly one that Plumbline reads."""
    for name in sorted({name.removesuffix("_FILE") for name in environ if name not in KNOWN} - KNOWN):
        near = get_close_matches(name, KNOWN, n=1, cutoff=_CLOSE)
        # Secrets of further sources have names of their own, such as ACME_WEBHOOK_SECRET.
        if near and not name.endswith("_WEBHOOK_SECRET"):
            yield f"{name} is read by nothing: is {near[0]} meant?"


def _validation(value: str | None) -> Protection:
    if value == "true":
        return Protection(f"webhook signatures: checked ({VALIDATION}=true)", is_on=True)
    reason = f"{VALIDATION} is not set" if value is None else f"{VALIDATION}={value!a} is not `true`"
    return Protection(
        f"webhook signatures: NOT CHECKED, forged deliveries are accepted ({reason}; set it to `true`)",
        is_on=False,
    )


def _tokens(value: str | None) -> Protection:
    if value in (None, "", "off"):
        return Protection(
            f"tokens of callers: NOT CHECKED, everybody may do everything (set {TOKENS}=jwt)", is_on=False
        )
    return Protection(f"tokens of callers: checked ({TOKENS}={value})", is_on=True)
