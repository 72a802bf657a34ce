"""Our verdict against the `sendgrid` package."""

import base64
import binascii
import re
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from sendgrid.helpers.eventwebhook import EventWebhook

from harness.exploring import explores
from unit.webhook_gateway.differential.drawn import (
    MOSTLY,
    WINDOW_SECONDS,
    assert_same_or_named,
    bodies_like,
    mutations,
    skews,
    texts,
    we_accept,
)
from webhook_gateway.domain.verification import SCHEMES

SENDGRID = SCHEMES["sendgrid"]
NOW = 1_795_435_200
NUMBERS = st.integers(1, 2**255)
"""From which a private key on the curve P-256 is made."""


def _package_accepts(body: str, timestamp: str, signature: str, public_key: bytes) -> bool:
    webhook = EventWebhook(base64.b64encode(public_key).decode())
    try:
        return webhook.verify_signature(body, signature, timestamp)
    except (binascii.Error, ValueError):  # not base64; not ASCII
        return False


def _package_is_laxer(timestamp: str, signature: str) -> str | None:
    if not re.fullmatch(r"[0-9]{1,14}", timestamp):
        return "takes any text as a timestamp"
    if abs(int(timestamp) - NOW) > WINDOW_SECONDS:
        return "takes any time"
    if base64.b64encode(base64.b64decode(signature)).decode() != signature:
        return "skips characters that are not base64, and bits that do not count"
    return None


@explores(10_000)
@given(
    data=st.data(),
    body=texts,
    number=NUMBERS,
    skew=skews,
    is_forged=st.sampled_from([*MOSTLY * [False], True]),
)
def test_sendgrid_signature_gets_the_verdict_of_the_sendgrid_package(
    data: st.DataObject, body: str, number: int, skew: int, is_forged: bool
) -> None:
    curve = ec.SECP256R1()
    public = ec.derive_private_key(number, curve).public_key()
    public_key = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    timestamp = data.draw(mutations(str(NOW + skew)))
    signer = ec.derive_private_key(number + is_forged, curve)
    signed = signer.sign((timestamp + body).encode(), ec.ECDSA(SHA256(), deterministic_signing=True))
    written = base64.b64encode(signed).decode()
    signature = data.draw(mutations(written))
    sent = data.draw(bodies_like(body))
    headers = {SENDGRID.signature_header: signature, str(SENDGRID.timestamp_header): timestamp}
    theirs = _package_accepts(sent, timestamp, signature, public_key)
    is_same = (signature, sent, timestamp) == (written, body, str(NOW + skew))
    assert_same_or_named(
        ours=we_accept(SENDGRID, public_key, headers, sent, datetime.fromtimestamp(NOW, UTC)),
        theirs=theirs,
        laxer=_package_is_laxer(timestamp, signature) if theirs else None,
        stricter=None,
        untouched=is_same and not is_forged and abs(skew) <= WINDOW_SECONDS,
        told=(headers, sent, number),
    )
