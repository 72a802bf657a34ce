"""Our verdict against the `gidgethub` package: GitHub has none of its own for Python."""

import hmac
from datetime import UTC, datetime

from gidgethub import ValidationFailure
from gidgethub.sansio import validate_event
from hypothesis import given
from hypothesis import strategies as st

from harness.exploring import explores
from unit.webhook_gateway.differential.drawn import (
    MOSTLY,
    assert_same_or_named,
    keys,
    keys_like,
    mutations,
    we_accept,
)
from webhook_gateway.domain.verification import SCHEMES, Secret, UnsignedDelivery, sign

GITHUB = SCHEMES["github"]
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def _package_accepts(body: bytes, signature: str, secret: str) -> bool:
    try:
        validate_event(body, signature=signature, secret=secret)
    except (ValidationFailure, TypeError):  # a signature that is not ASCII cannot be compared
        return False
    return True


@explores(10_000)
@given(data=st.data(), body=st.binary(max_size=200), secret=keys)
def test_github_signature_gets_the_verdict_of_the_gidgethub_package(
    data: st.DataObject, body: bytes, secret: str
) -> None:
    signer = data.draw(keys_like(secret))
    (signed,) = sign(GITHUB, Secret(signer.encode()), UnsignedDelivery(body, NOW, "")).values()
    signature = data.draw(mutations(signed, "sha256=", "sha1="))
    sent = data.draw(st.sampled_from([*MOSTLY * [body], body + b"\n", body[1:]]))
    assert_same_or_named(
        ours=we_accept(GITHUB, secret, {GITHUB.signature_header: signature}, sent, NOW),
        theirs=_package_accepts(sent, signature, secret),
        laxer=None,
        stricter=None,
        untouched=(signature, sent, signer) == (signed, body, secret),
        told=(signature, sent, secret),
    )


def test_github_package_still_takes_sha1_which_we_never_do() -> None:
    signature = "sha1=" + hmac.digest(b"key", b"abc", "sha1").hex()
    assert _package_accepts(b"abc", signature, "key")
    assert not we_accept(GITHUB, "key", {GITHUB.signature_header: signature}, b"abc", NOW)
