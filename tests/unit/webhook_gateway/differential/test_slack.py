"""Our verdict against the `slack-sdk` package."""

import hmac
import re
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from slack_sdk.signature import Clock, SignatureVerifier

from harness.exploring import explores
from unit.webhook_gateway.differential.drawn import (
    MOSTLY,
    WINDOW_SECONDS,
    assert_same_or_named,
    keys,
    keys_like,
    mutations,
    skews,
    texts,
    we_accept,
)
from webhook_gateway.domain.verification import SCHEMES

NOW = 1_795_435_200


class StoppedClock(Clock):
    def now(self) -> float:
        return NOW


def _signed(body: bytes, timestamp: str, secret: str) -> str:
    """By the package where it can: it signs text only."""
    try:
        signed = SignatureVerifier(secret).generate_signature(timestamp=timestamp, body=body)
    except UnicodeDecodeError:
        text = b"v0:" + timestamp.encode() + b":" + body
        return "v0=" + hmac.digest(secret.encode(), text, "sha256").hex()
    return str(signed)


def _package_accepts(body: bytes, timestamp: str, signature: str, secret: str) -> bool:
    headers = {"X-Slack-Signature": signature, "X-Slack-Request-Timestamp": timestamp}
    try:
        return SignatureVerifier(secret, StoppedClock()).is_valid_request(body, headers)
    except (ValueError, TypeError):  # no number; no text in UTF-8 (a ValueError too); not ASCII
        return False


def _package_is_laxer(timestamp: str) -> str | None:
    if not re.fullmatch(r"[0-9]{1,14}", timestamp):
        return "reads timestamps as int() does: spaces, signs, underscores"
    return None


def _package_is_stricter(body: bytes) -> str | None:
    try:
        body.decode()
    except UnicodeDecodeError:
        return "cannot classify a body that is not UTF-8"
    return None


@explores(10_000)
@given(data=st.data(), body=texts.map(str.encode) | st.binary(max_size=60), secret=keys, skew=skews)
def test_slack_signature_gets_the_verdict_of_the_slack_package(
    data: st.DataObject, body: bytes, secret: str, skew: int
) -> None:
    timestamp = data.draw(mutations(str(NOW + skew)))
    signer = data.draw(keys_like(secret))
    signed = _signed(body, timestamp, signer)
    signature = data.draw(mutations(signed, "v0=", "v1="))
    sent = data.draw(st.sampled_from([*MOSTLY * [body], body + b" ", body[1:]]))
    headers = {"x-slack-signature": signature, "x-slack-request-timestamp": timestamp}
    in_time = timestamp == str(NOW + skew) and abs(skew) <= WINDOW_SECONDS
    assert_same_or_named(
        ours=we_accept(SCHEMES["slack"], secret, headers, sent, datetime.fromtimestamp(NOW, UTC)),
        theirs=_package_accepts(sent, timestamp, signature, secret),
        laxer=_package_is_laxer(timestamp),
        stricter=_package_is_stricter(sent),
        untouched=(signature, sent, signer) == (signed, body, secret) and in_time,
        told=(headers, sent, secret),
    )
