"""Our verdict against the `squareup` package."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from square.utils.webhooks_helper import verify_signature

from harness.exploring import explores
from unit.webhook_gateway.differential.drawn import (
    assert_same_or_named,
    bodies_like,
    keys,
    keys_like,
    mutations,
    texts,
    we_accept,
)
from unit.webhook_gateway.signed_deliveries import PUBLIC_URL
from webhook_gateway.domain.verification import SCHEMES, Secret, UnsignedDelivery, sign

SQUARE = SCHEMES["square"]
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
URLS = [PUBLIC_URL, PUBLIC_URL + "/", PUBLIC_URL + "?a=1", "https://hooks.example.com:443/x", "http://h/é"]


def _package_is_stricter(body: str) -> str | None:
    return None if body else "refuses an empty body unseen"


@explores(10_000)
@given(
    data=st.data(),
    body=texts,
    secret=keys,
    signed_url=st.sampled_from(URLS),
    url=st.none() | st.sampled_from(URLS),
)
def test_square_signature_gets_the_verdict_of_the_square_package(
    data: st.DataObject, body: str, secret: str, signed_url: str, url: str | None
) -> None:
    signer = data.draw(keys_like(secret))
    (signed,) = sign(
        SQUARE, Secret(signer.encode()), UnsignedDelivery(body.encode(), NOW, "", signed_url)
    ).values()
    signature = data.draw(mutations(signed))
    sent, known_url = data.draw(bodies_like(body)), url or signed_url
    theirs = verify_signature(
        request_body=sent, signature_header=signature, signature_key=secret, notification_url=known_url
    )
    headers = {SQUARE.signature_header: signature}
    assert_same_or_named(
        ours=we_accept(SQUARE, secret, headers, sent, NOW, public_url=known_url),
        theirs=theirs,
        laxer=None,
        stricter=_package_is_stricter(sent),
        untouched=(signature, sent, signer, known_url) == (signed, body, secret, signed_url),
        told=(signature, sent, secret, known_url),
    )
