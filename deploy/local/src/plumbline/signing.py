"""Signatures of deliveries as the providers make them, with the providers' packages where they exist."""

import base64
import hashlib
import hmac
from datetime import datetime

import standardwebhooks
import stripe

Headers = dict[str, str]


def sign_stripe(body: bytes, secret: str, at: datetime) -> Headers:
    """Sign with the `stripe` package, which accepts text only."""
    header: str = stripe.WebhookSignature.generate_signature_header(  # pyright: ignore[reportUnknownMemberType] - untyped there
        body.decode(), secret, timestamp=int(at.timestamp())
    )
    return {"stripe-signature": header}


def sign_sms_legacy(body: bytes, secret: str, at: datetime) -> Headers:
    """Sign by OpenPhone's first scheme: HMAC-SHA256 over `<milliseconds>.<body>`, the key base64-decoded."""
    milliseconds = int(at.timestamp() * 1000)
    digest = hmac.digest(base64.b64decode(secret), b"%d.%b" % (milliseconds, body), hashlib.sha256)
    return {"openphone-signature": f"hmac;1;{milliseconds};{base64.b64encode(digest).decode()}"}


def sign_quo(body: bytes, secret: str, at: datetime, message_id: str) -> Headers:
    """Sign by Standard Webhooks with the package `standardwebhooks`, which accepts text only."""
    signature = standardwebhooks.Webhook(secret).sign(message_id, at, body.decode())
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": signature,
    }
