"""The description of a signature scheme: what stands where, and which bytes were signed.

Two small templates carry most of it. `items` say how the signature header is written
(`hmac;1;{timestamp};{signature}`), `signed` says which bytes the sender signed
(`{id}.{timestamp}.{body}`). A new provider of a known family is one more value of this type.
"""

from dataclasses import dataclass
from enum import StrEnum

WINDOW_SECONDS_MAX = 300
"""Two-sided: older or newer than this and the delivery is refused (GW-5)."""

SECRET_BYTES_MIN = 24
"""GW-6; also the least that Standard Webhooks allows. Counted after decoding, because that is the key."""


class Algorithm(StrEnum):
    """Algorithm of the signature."""

    HMAC = "hmac"
    # RFC 8032; the key is the sender's public one (Standard Webhooks, asymmetric).
    ED25519 = "ed25519"
    # FIPS 186-5 over SHA-256, in DER; the key is the sender's public one (SendGrid).
    ECDSA = "ecdsa"


class Encoding(StrEnum):
    """Encoding of a signature."""

    HEX = "hex"
    BASE64 = "base64"


class KeyForm(StrEnum):
    """Form in which the provider's dashboard shows the signing key."""

    # The text itself, prefix and all, in UTF-8 (Stripe).
    TEXT = "text"
    # Base64 of the key (OpenPhone).
    BASE64 = "base64"
    # Base64 of the key behind `whsec_` (Standard Webhooks).
    WHSEC_BASE64 = "whsec_base64"
    # Base64 of an Ed25519 public key behind `whpk_` (Standard Webhooks, asymmetric).
    WHPK_BASE64 = "whpk_base64"
    # Base64 of an elliptic-curve public key in DER (SendGrid).
    SPKI_BASE64 = "spki_base64"


class TimestampUnit(StrEnum):
    """Unit of a signed timestamp since 1970."""

    SECONDS = "seconds"
    MILLISECONDS = "milliseconds"


@dataclass(frozen=True, slots=True)
class SecretFormat:
    """Format of a provider's secrets, and texts that are mistaken for one.

    Attributes:
        is_issued: whether the provider draws them, in printable ASCII; else they are chosen.
        prefix: what those of today begin with; such a secret holds no space. Those of tests may lack it.
        lookalikes: pattern whose first group is a beginning → what the text is instead, with its article.
    """

    is_issued: bool = False
    prefix: str = ""
    lookalikes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Scheme:
    """Description of how one family of senders signs.

    One equals itself alone: looking up what was compiled of it must not hash every field for every delivery.

    Attributes:
        name: as it appears in settings, metrics and `webhook-gateway sources`.
        signature_header: lower-case header that carries the signatures.
        items: the forms an item of that header may have. An item of another form is another scheme's and is
            passed over (Stripe's v0, a later version of Standard Webhooks).
        separator: between items, which may have spaces around them; empty where the header is one item.
        signed: the signed bytes, from literal text and
            `{id}`, `{timestamp}`, `{body}`;
            `{url}`, the URL that the sender knows us by, as configured;
            `{request_url}`, the same with this request's query, in each way the sender may write it;
            `{form}`, names and values of a form body, sorted and run together (Twilio).
        encoding: of the signature.
        algorithm: what makes the signature.
        digest: of the HMAC, as hashlib names it.
        key_form: how secrets of this scheme are written.
        timestamp_unit: of `{timestamp}`; None where the scheme signs no time.
        timestamp_header: lower-case header of the timestamp, where it does not stand in an item.
        id_header: lower-case header of the signed message id, where there is one.
        window_seconds_max: how far the signed time may lie from ours, in both directions.
        secret_bytes_min: the least that a key may have. Lower only where the provider's own keys are shorter.
        secret_format: how the provider's secrets look.
    """

    name: str
    signature_header: str
    items: tuple[str, ...]
    signed: str
    encoding: Encoding
    key_form: KeyForm
    separator: str = ""
    algorithm: Algorithm = Algorithm.HMAC
    digest: str = "sha256"
    timestamp_unit: TimestampUnit | None = None
    timestamp_header: str | None = None
    id_header: str | None = None
    window_seconds_max: int = WINDOW_SECONDS_MAX
    secret_bytes_min: int = SECRET_BYTES_MIN
    secret_format: SecretFormat = SecretFormat()

    @property
    def needs_url(self) -> bool:
        """True if the signed bytes hold the called URL, which then has to be configured."""
        return "{url}" in self.signed or "{request_url}" in self.signed
