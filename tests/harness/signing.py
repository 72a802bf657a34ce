"""Headers of deliveries, signed as the providers sign them, by others' code where there is some."""

import base64
import hashlib
import hmac
from datetime import datetime

import standardwebhooks
import stripe as stripe_sdk

from chassis import clock

Headers = dict[str, str]


def stripe(body: bytes, secret: str, at: datetime) -> Headers:
    """By the `stripe` package's own signer, which signs text only."""
    header = stripe_sdk.WebhookSignature.generate_signature_header(
        body.decode(), secret, timestamp=int(at.timestamp())
    )
    return {"stripe-signature": header}


def sms_legacy(body: bytes, secret: str, at: datetime) -> Headers:
    """OpenPhone's scheme: HMAC-SHA256 over `<ms>.<body>` with the base64-decoded key (foundations §6)."""
    milliseconds = int(at.timestamp() * 1000)
    digest = hmac.digest(base64.b64decode(secret), b"%d.%b" % (milliseconds, body), hashlib.sha256)
    return {"openphone-signature": f"hmac;1;{milliseconds};{base64.b64encode(digest).decode()}"}


def quo(body: bytes, secret: str, at: datetime) -> Headers:
    """Standard Webhooks under a fresh message id, by the package of that name, which signs text only."""
    message_id = f"msg_{clock.new_id()}"
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": standardwebhooks.Webhook(secret).sign(message_id, at, body.decode()),
    }
