"""The schemes Plumbline knows, as data. Sources: the providers' own pages, checked against their vectors."""

from dataclasses import replace

from webhook_gateway.domain.verification.scheme import (
    Algorithm,
    Encoding,
    KeyForm,
    Scheme,
    SecretFormat,
    TimestampUnit,
)

_API_KEY, _ENDPOINT = "an API key", "an endpoint's id"
_ISSUED = SecretFormat(is_issued=True)

STRIPE = Scheme(
    name="stripe",
    signature_header="stripe-signature",
    separator=",",
    items=("t={timestamp}", "v1={signature}"),
    signed="{timestamp}.{body}",
    encoding=Encoding.HEX,
    key_form=KeyForm.TEXT,
    timestamp_unit=TimestampUnit.SECONDS,
    secret_format=SecretFormat(
        is_issued=True,
        prefix="whsec_",
        lookalikes=(
            (r"([srp]k_)", _API_KEY),
            (r"(we_|ed_)", _ENDPOINT),
            (r"(evt_)", "an event's id"),
            (r"(acct_)", "an account's id"),
            (r"(ca_)", "a client id of Connect"),
        ),
    ),
)
"""docs.stripe.com/webhooks/signature. Several v1 while a secret is rolled; v0 is a decoy."""

OPENPHONE_LEGACY = Scheme(
    name="openphone-legacy",
    signature_header="openphone-signature",
    separator=",",
    items=("hmac;1;{timestamp};{signature}",),
    signed="{timestamp}.{body}",
    encoding=Encoding.BASE64,
    key_form=KeyForm.BASE64,
    timestamp_unit=TimestampUnit.MILLISECONDS,
    secret_format=_ISSUED,
)
"""Quo's "Legacy webhooks" page. Webhooks made in the app still sign this way."""

STANDARD_WEBHOOKS = Scheme(
    name="standard-webhooks",
    signature_header="webhook-signature",
    separator=" ",
    items=("v1,{signature}",),
    signed="{id}.{timestamp}.{body}",
    encoding=Encoding.BASE64,
    key_form=KeyForm.WHSEC_BASE64,
    timestamp_unit=TimestampUnit.SECONDS,
    timestamp_header="webhook-timestamp",
    id_header="webhook-id",
    secret_format=SecretFormat(
        is_issued=True,
        prefix="whsec_",
        lookalikes=(
            (r"(whpk_)", "a public key, that of asymmetric signatures"),
            (r"(whsk_)", "a private key, which only the sender has"),
            (r"((?:test)?[srp]k_)", _API_KEY),
            (r"(ep_|we_)", _ENDPOINT),
        ),
    ),
)
"""Standard Webhooks 1.0, symmetric signatures. Quo's current webhooks sign this way."""

SVIX = replace(
    STANDARD_WEBHOOKS,
    name="svix",
    signature_header="svix-signature",
    timestamp_header="svix-timestamp",
    id_header="svix-id",
)
"""Standard Webhooks under the names its first implementation used."""

STANDARD_WEBHOOKS_V1A = replace(
    STANDARD_WEBHOOKS,
    name="standard-webhooks-v1a",
    items=("v1a,{signature}",),
    algorithm=Algorithm.ED25519,
    key_form=KeyForm.WHPK_BASE64,
    secret_format=SecretFormat(
        is_issued=True,
        prefix="whpk_",
        lookalikes=(
            (r"(whsec_)", "a secret of symmetric signatures"),
            (r"(whsk_)", "a private key, which only the sender has"),
        ),
    ),
)
"""Standard Webhooks 1.0, asymmetric signatures; the secret is the sender's public key."""

GITHUB = Scheme(
    name="github",
    signature_header="x-hub-signature-256",
    items=("sha256={signature}",),
    signed="{body}",
    encoding=Encoding.HEX,
    key_form=KeyForm.TEXT,
    secret_format=SecretFormat(
        lookalikes=(
            (r"(gh[pousr]_|github_pat_)", "an access token"),
            (r"(sha256=|sha1=)", "a signature"),
        )
    ),
)
"""docs.github.com, "Validating webhook deliveries". No time is signed."""

SHOPIFY = Scheme(
    name="shopify",
    signature_header="x-shopify-hmac-sha256",
    items=("{signature}",),
    signed="{body}",
    encoding=Encoding.BASE64,
    key_form=KeyForm.TEXT,
    secret_format=SecretFormat(
        is_issued=True, lookalikes=((r"(shp(?:at|ca|pa|ua|tka)_)", "an access token"),)
    ),
)
"""shopify.dev, "Deliver webhooks through HTTPS". No time is signed."""

SLACK = Scheme(
    name="slack",
    signature_header="x-slack-signature",
    items=("v0={signature}",),
    signed="v0:{timestamp}:{body}",
    encoding=Encoding.HEX,
    key_form=KeyForm.TEXT,
    timestamp_unit=TimestampUnit.SECONDS,
    timestamp_header="x-slack-request-timestamp",
    secret_format=SecretFormat(is_issued=True, lookalikes=((r"(xox[a-z][.-]|xapp-)", "a token of the app"),)),
)
"""docs.slack.dev, "Verifying requests from Slack"."""

TWILIO = Scheme(
    name="twilio",
    signature_header="x-twilio-signature",
    items=("{signature}",),
    signed="{request_url}{form}",
    encoding=Encoding.BASE64,
    key_form=KeyForm.TEXT,
    digest="sha1",
    secret_format=SecretFormat(
        is_issued=True,
        lookalikes=(
            (r"(AC)[0-9a-fA-F]{32}$", "an account's SID"),
            (r"(SK)[0-9a-fA-F]{32}$", "an API key's SID"),
        ),
    ),
)
"""twilio.com/docs/usage/security: the URL and a form's fields; of another body the query has the digest."""

SQUARE = Scheme(
    name="square",
    signature_header="x-square-hmacsha256-signature",
    items=("{signature}",),
    signed="{url}{body}",
    encoding=Encoding.BASE64,
    key_form=KeyForm.TEXT,
    secret_bytes_min=22,
    secret_format=SecretFormat(
        is_issued=True,
        lookalikes=(
            (r"(sq0(?:atp|idp|csp)-)", "a credential of the application"),
            (r"(EAAA)[\w-]{60}$", "an access token"),
            (r"(wbhk_)", "a subscription's id"),
        ),
    ),
)
"""developer.squareup.com, "Verify and validate an event notification". Its keys have 22 characters."""

PADDLE = Scheme(
    name="paddle",
    signature_header="paddle-signature",
    separator=";",
    items=("ts={timestamp}", "h1={signature}"),
    signed="{timestamp}:{body}",
    encoding=Encoding.HEX,
    key_form=KeyForm.TEXT,
    timestamp_unit=TimestampUnit.SECONDS,
    secret_format=SecretFormat(
        is_issued=True,
        lookalikes=(
            (r"(pdl_(?:live_|sdbx_)?apikey_)", _API_KEY),
            (r"(ntfset_)", "a notification destination's id"),
        ),
    ),
)
"""developer.paddle.com, "Verify webhook signatures". Several h1 while a secret is rotated."""

SENDGRID = Scheme(
    name="sendgrid",
    signature_header="x-twilio-email-event-webhook-signature",
    items=("{signature}",),
    signed="{timestamp}{body}",
    encoding=Encoding.BASE64,
    algorithm=Algorithm.ECDSA,
    key_form=KeyForm.SPKI_BASE64,
    timestamp_unit=TimestampUnit.SECONDS,
    timestamp_header="x-twilio-email-event-webhook-timestamp",
    secret_format=SecretFormat(is_issued=True, lookalikes=((r"(SG\.)", _API_KEY),)),
)
"""twilio.com/docs/sendgrid, "Event Webhook security features". The body's trailing CRLF is signed too."""

SCHEMES: dict[str, Scheme] = {
    scheme.name: scheme
    for scheme in (
        STRIPE,
        OPENPHONE_LEGACY,
        STANDARD_WEBHOOKS,
        STANDARD_WEBHOOKS_V1A,
        SVIX,
        GITHUB,
        SHOPIFY,
        SLACK,
        TWILIO,
        SQUARE,
        PADDLE,
        SENDGRID,
    )
}
"""By name. A provider of a known family is one more entry here or, without new code, in the sources file."""
