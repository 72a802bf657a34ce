"""Our verdict against the `standardwebhooks` package, and against `svix`, which came first."""

import base64
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Protocol

import pytest
import standardwebhooks
import svix.webhooks
from hypothesis import given
from hypothesis import strategies as st

from harness.exploring import explores
from unit.webhook_gateway.differential.drawn import (
    MOSTLY,
    WINDOW_SECONDS,
    assert_same_or_named,
    bodies_like,
    header_texts,
    mutations,
    skews_in_real_time,
    texts,
    we_accept,
)
from webhook_gateway.domain.verification import SCHEMES


class Package(Protocol):
    """How both packages verify."""

    def verify(self, data: str, headers: dict[str, str]) -> None: ...
    def sign(self, msg_id: str, timestamp: datetime, data: str) -> str: ...


class StandardPackage(standardwebhooks.Webhook):
    def verify(self, data: str, headers: dict[str, str]) -> None:
        super().verify(data, headers, json_parse=False)


PACKAGES: Mapping[str, type[Package]] = {
    "standard-webhooks": StandardPackage,
    "svix": svix.webhooks.Webhook,
}


def _package_accepts(package: Package, body: str, headers: dict[str, str]) -> bool:
    try:
        package.verify(body, headers)
    except (standardwebhooks.WebhookVerificationError, ValueError):  # binascii.Error is a ValueError
        return False
    return True


def _package_is_laxer(message_id: str, timestamp: str, signatures: str) -> str | None:
    if "." in message_id:
        return "takes a full stop in the id, which the specification warns of"
    if not re.fullmatch(r"[!-~]{1,255}", message_id):
        return "takes any id"
    if not re.fullmatch(r"[1-9][0-9]{0,13}", timestamp):
        return "reads timestamps as float() does and signs the rounded number"
    for item in signatures.split(" "):
        signature = item.removeprefix("v1,")
        if item.startswith("v1,") and not re.fullmatch(r"[A-Za-z0-9+/]{43}=", signature):
            return "skips characters that are not base64"
        if item.startswith("v1,") and base64.b64encode(base64.b64decode(signature)).decode() != signature:
            return "takes base64 whose unused bits are not zero"
    return None


def _package_is_stricter(signatures: str) -> str | None:
    if any(item.count(",") != 1 for item in signatures.split(" ")):
        return "stops at an item without exactly one comma, good signature or not"
    return None


@explores(10_000)
@pytest.mark.parametrize("name", PACKAGES)
@given(
    data=st.data(),
    body=texts,
    secret=st.binary(min_size=1, max_size=64),
    is_forged=st.sampled_from([*MOSTLY * [False], True]),
    skew=skews_in_real_time,
    message_id=header_texts.filter(bool),
)
def test_standard_webhook_gets_the_verdict_of_the_package(
    name: str,
    data: st.DataObject,
    body: str,
    secret: bytes,
    is_forged: bool,
    skew: int,
    message_id: str,
) -> None:
    scheme = SCHEMES[name]
    now = datetime.now(UTC).replace(microsecond=0)  # noqa: TID251 - the packages read the real clock
    timestamp = int(now.timestamp()) + skew
    signer = PACKAGES[name](secret + b"x" if is_forged else secret)
    signature = signer.sign(message_id, datetime.fromtimestamp(timestamp, UTC), body)
    headers = {
        str(scheme.id_header): message_id,
        str(scheme.timestamp_header): data.draw(mutations(str(timestamp))),
        scheme.signature_header: data.draw(mutations(signature, "v1,", " v1a,")),
    }
    sent = data.draw(bodies_like(body))
    theirs = _package_accepts(PACKAGES[name](secret), sent, headers)
    is_same = (*headers.values(), sent) == (message_id, str(timestamp), signature, body) and not is_forged
    assert_same_or_named(
        ours=we_accept(scheme, secret, headers, sent, now),
        theirs=theirs,
        laxer=_package_is_laxer(*headers.values()) if theirs else None,
        stricter=_package_is_stricter(headers[scheme.signature_header]),
        untouched=is_same and "." not in message_id and abs(skew) <= WINDOW_SECONDS,
        told=(headers, sent),
    )
