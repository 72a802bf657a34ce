"""Our verdict against the `stripe` package."""

import re
from datetime import UTC, datetime

import stripe
from hypothesis import given
from hypothesis import strategies as st

from harness.exploring import explores
from unit.webhook_gateway.differential.drawn import (
    WINDOW_SECONDS,
    assert_same_or_named,
    bodies_like,
    keys,
    keys_like,
    mutations,
    skews,
    texts,
    we_accept,
)
from webhook_gateway.domain.verification import SCHEMES

STRIPE = SCHEMES["stripe"]
NOW = 1_795_435_200


def _package_accepts(body: str, header: str, secret: str) -> bool:
    try:
        stripe.WebhookSignature.verify_header(body, header, secret, tolerance=None)
    except (stripe.SignatureVerificationError, TypeError, ValueError, IndexError):
        return False
    # The package compares with its own clock and lets the future in, so the window is judged here.
    return all(abs(NOW - int(t)) <= WINDOW_SECONDS for t in re.findall(r"(?:^|,)t=(\d+)", header)[:1])


def _package_is_laxer(header: str) -> str | None:
    items = header.split(",")
    timestamps = [item for item in items if item.startswith("t=")]
    if len(timestamps) > 1:
        return "takes the first of several timestamps; we call that ambiguous"
    if any(item.split("=", 2)[0] == "v1" and item.count("=") > 1 for item in items):
        return "ignores what follows a second '=' in a signature"
    if timestamps and not re.fullmatch(r"t=[0-9]{1,14}", timestamps[0]):
        return "reads timestamps as int() does: signs, underscores, a second '='"
    if timestamps and timestamps[0] != f"t={int(timestamps[0][2:])}":
        return "signs the number, not the text: leading zeros"
    return None


def _package_is_stricter(header: str) -> str | None:
    if {"t", "v1"} & set(header.split(",")):
        return "stumbles over an item that is a name alone"
    if any(item != item.strip(" ") for item in header.split(",")):
        return "takes no space around items"
    first = next((item for item in header.split(",") if item.startswith("t=")), "t=0")
    if not re.fullmatch(r"t=[0-9]+", first):
        return "reads the first `t` even if it is no number; we pass over it"
    return None


@explores(10_000)
@given(data=st.data(), body=texts, secret=keys, skew=skews)
def test_stripe_signature_gets_the_verdict_of_the_stripe_package(
    data: st.DataObject, body: str, secret: str, skew: int
) -> None:
    signer = data.draw(keys_like(secret))
    signed = stripe.WebhookSignature.generate_signature_header(body, signer, NOW + skew)
    header, sent = data.draw(mutations(signed, "v1=", "t=1,", "v0=")), data.draw(bodies_like(body))
    ours = we_accept(
        STRIPE, secret, {STRIPE.signature_header: header}, sent, datetime.fromtimestamp(NOW, UTC)
    )
    assert_same_or_named(
        ours=ours,
        theirs=_package_accepts(sent, header, secret),
        laxer=_package_is_laxer(header),
        stricter=_package_is_stricter(header),
        untouched=(header, sent, signer) == (signed, body, secret) and abs(skew) <= WINDOW_SECONDS,
        told=(header, sent, secret),
    )
