"""The schemes Plumbline knows, as data. Sources: the providers' own pages, checked against their vectors."""

from dataclasses import replace

from webhook_gateway.domain.verification.scheme import Encoding, KeyForm, Scheme, TimestampUnit

STRIPE = Scheme(
    name="stripe",
    signature_header="stripe-signature",
    separator=",",
    items=("t={timestamp}", "v1={signature}"),
    signed="{timestamp}.{body}",
    encoding=Encoding.HEX,
    key_form=KeyForm.TEXT,
    timestamp_unit=TimestampUnit.SECONDS,
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

SCHEMES: dict[str, Scheme] = {
    scheme.name: scheme for scheme in (STRIPE, OPENPHONE_LEGACY, STANDARD_WEBHOOKS, SVIX)
}
