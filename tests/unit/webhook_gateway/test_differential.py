"""Our verdict against the providers' own packages, over random bodies, secrets and mutations.

Where a package is laxer than we are, the difference is named in `_package_is_laxer`, and nowhere else.
"""

import base64
import re
from datetime import UTC, datetime

import standardwebhooks
import stripe
from hypothesis import given, settings
from hypothesis import strategies as st

from unit.webhook_gateway.signed_deliveries import accepting
from webhook_gateway.domain.verification import SCHEMES, Secret, Verified, verify

STRIPE, STANDARD = SCHEMES["stripe"], SCHEMES["standard-webhooks"]
WINDOW_SECONDS = 300

text_bodies = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
header_texts = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=90)


@st.composite
def mutations(draw: st.DrawFn, text: str) -> str:
    """The text itself, or with a few characters replaced, removed or inserted."""
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(text)))
        cut = draw(st.integers(0, 2))
        text = (
            text[:at]
            + draw(st.sampled_from(["", "0", "a", ",", "=", ".", "v1=", "t=1,", "v0=", " "]))
            + text[at + cut :]
        )
    return text


def _stripe_accepts(body: str, header: str, secret: str, now: int) -> bool:
    try:
        stripe.WebhookSignature.verify_header(body, header, secret, tolerance=None)
    except (stripe.SignatureVerificationError, TypeError, ValueError, IndexError):
        return False
    # The package compares with its own clock and lets the future in, so the window is judged here.
    return all(abs(now - int(t)) <= WINDOW_SECONDS for t in re.findall(r"t=(\d+)", header)[:1])


def _stripe_package_is_laxer(header: str) -> str | None:
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


@settings(max_examples=1500, deadline=None)
@given(
    data=st.data(),
    body=text_bodies,
    secret=st.text(min_size=1, max_size=40).filter(str.isascii).filter(str.strip),
    skew=st.integers(-400, 400),
)
def test_stripe_signature_gets_the_verdict_of_the_stripe_package(
    data: st.DataObject, body: str, secret: str, skew: int
) -> None:
    now = 1_795_435_200
    header = stripe.WebhookSignature.generate_signature_header(body, secret, now + skew)
    header, sent = data.draw(mutations(header)), data.draw(st.sampled_from([body, body + " "]))
    theirs = _stripe_accepts(sent, header, secret, now)
    ours = isinstance(
        verify(
            [(b"stripe-signature", header.encode())],
            sent.encode(),
            accepting(STRIPE, Secret(secret.encode())),
            datetime.fromtimestamp(now, UTC),
        ),
        Verified,
    )
    if theirs and not ours:
        assert _stripe_package_is_laxer(header), (header, sent)
    else:
        assert ours == theirs, (header, sent)


def _standard_package_accepts(body: str, headers: dict[str, str], secret: bytes) -> bool:
    try:
        standardwebhooks.Webhook(secret).verify(body, headers, json_parse=False)
    except (standardwebhooks.WebhookVerificationError, ValueError):  # binascii.Error is a ValueError
        return False
    return True


def _standard_package_is_laxer(headers: dict[str, str]) -> str | None:
    if "." in headers["webhook-id"]:
        return "takes a full stop in the id, which the specification warns of"
    if not headers["webhook-id"] or not re.fullmatch(r"[!-~]{1,255}", headers["webhook-id"]):
        return "takes any id"
    if not re.fullmatch(r"[0-9]{1,14}", headers["webhook-timestamp"]) or headers[
        "webhook-timestamp"
    ].startswith("0"):
        return "reads timestamps as float() does and signs the rounded number"
    for item in headers["webhook-signature"].split(" "):
        signature = item.removeprefix("v1,")
        if item.startswith("v1,") and not re.fullmatch(r"[A-Za-z0-9+/]{43}=", signature):
            return "skips characters that are not base64"
        if item.startswith("v1,") and base64.b64encode(base64.b64decode(signature)).decode() != signature:
            return "takes base64 whose unused bits are not zero"
    return None


@settings(max_examples=1500, deadline=None)
@given(
    data=st.data(),
    body=text_bodies,
    secret=st.binary(min_size=1, max_size=64),
    skew=st.sampled_from([-400, -290, 0, 290, 400]),
    message_id=header_texts.filter(bool),
)
def test_standard_webhook_gets_the_verdict_of_the_standardwebhooks_package(
    data: st.DataObject, body: str, secret: bytes, skew: int, message_id: str
) -> None:
    now = datetime.now(UTC).replace(microsecond=0)  # noqa: TID251 - the package reads the real clock
    timestamp = int(now.timestamp()) + skew
    signature = standardwebhooks.Webhook(secret).sign(
        message_id, datetime.fromtimestamp(timestamp, UTC), body
    )
    headers = {
        "webhook-id": message_id,
        "webhook-timestamp": data.draw(mutations(str(timestamp))),
        "webhook-signature": data.draw(mutations(signature)),
    }
    theirs = _standard_package_accepts(body, headers, secret)
    raw = [(n.encode(), v.encode()) for n, v in headers.items()]
    verdict = verify(raw, body.encode(), accepting(STANDARD, Secret(secret)), now)
    if theirs and isinstance(verdict, Verified) is False:
        assert _standard_package_is_laxer(headers), headers
    elif not theirs and isinstance(verdict, Verified):
        assert _standard_package_fails_on_foreign_items(headers), headers


def _standard_package_fails_on_foreign_items(headers: dict[str, str]) -> bool:
    """An item without exactly one comma stops the package with a ValueError, good signature or not."""
    return any(item.count(",") != 1 for item in headers["webhook-signature"].split(" "))
