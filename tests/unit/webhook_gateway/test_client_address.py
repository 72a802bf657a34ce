"""Whom a refusal is counted under: never what a client writes about itself."""

import pytest

from webhook_gateway.domain.client_address import client_address

FORGED_THEN_SEEN = [(b"x-forwarded-for", b"6.6.6.6, 9.9.9.9"), (b"x-forwarded-for", b"10.0.0.1")]


@pytest.mark.parametrize(
    ("proxies_trusted", "address"), [(0, "peer"), (1, "10.0.0.1"), (2, "9.9.9.9"), (4, "peer")]
)
def test_address_is_what_the_outermost_trusted_proxy_saw(proxies_trusted: int, address: str) -> None:
    assert client_address("peer", FORGED_THEN_SEEN, proxies_trusted=proxies_trusted) == address


@pytest.mark.parametrize("value", [b"", b"a,", b"\xff\xfe"])
def test_unusable_forwarded_header_falls_back_to_the_peer(value: bytes) -> None:
    assert client_address("peer", [(b"x-forwarded-for", value)], proxies_trusted=1) == "peer"


def test_unknown_peer_and_endless_header_stay_bounded() -> None:
    assert client_address(None, [], proxies_trusted=0) == "unknown"
    endless = [(b"x-forwarded-for", b"a" * 10_000)]
    assert len(client_address("peer", endless, proxies_trusted=1)) == 64
