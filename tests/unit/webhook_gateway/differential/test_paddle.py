"""Our verdict against the `paddle-python-sdk` package, with two secrets as while one is rotated."""

import re
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st
from paddle_billing.Notifications import Secret as PaddleSecret
from paddle_billing.Notifications import Verifier

from harness.exploring import explores
from unit.webhook_gateway.differential.drawn import (
    WINDOW_SECONDS,
    assert_same_or_named,
    bodies_like,
    keys,
    keys_like,
    mutations,
    skews_in_real_time,
    texts,
    we_accept,
)
from webhook_gateway.domain.verification import SCHEMES, Secret, UnsignedDelivery, sign

PADDLE = SCHEMES["paddle"]


def _package_accepts(body: str, header: str, secrets: list[str]) -> bool:
    request = SimpleNamespace(headers={"Paddle-Signature": header}, body=body.encode())
    try:
        return Verifier(WINDOW_SECONDS).verify(request, [PaddleSecret(each) for each in secrets])
    except (ConnectionRefusedError, ValueError, TypeError):  # no match; no number or item; not ASCII
        return False


def _package_is_laxer(header: str) -> str | None:
    timestamps = [item for item in header.split(";") if item.startswith("ts=")]
    if len(timestamps) != 1:
        return "takes the last of several timestamps; we call that ambiguous"
    if not re.fullmatch(r"ts=(0|[1-9][0-9]{0,13})", timestamps[0]):
        return "reads timestamps as int() does and signs the number, not the text"
    return None


def _package_is_stricter(header: str) -> str | None:
    if any("=" in item and not re.fullmatch(r"(ts|h1)=[^=]*", item) for item in header.split(";")):
        return "stops at an item that it does not know; we pass over it"
    if re.search(r"(?:^|;)(ts|h1)=(?:;|$)", header):
        return "takes an item without a value for its value; we pass over it"
    if any(item != item.strip(" ") for item in header.split(";")):
        return "takes no space around items"
    timestamp = re.search(r"(?:^|;)ts=0([0-9]*)(?:;|$)", header)
    return "signs the number, not the text: leading zeros" if timestamp else None


@explores(10_000)
@given(
    data=st.data(),
    body=texts,
    secrets=st.lists(keys, min_size=2, max_size=2),
    skew=skews_in_real_time,
)
def test_paddle_signature_gets_the_verdict_of_the_paddle_package(
    data: st.DataObject, body: str, secrets: list[str], skew: int
) -> None:
    now = datetime.now(UTC).replace(microsecond=0)  # noqa: TID251 - the package reads the real clock
    signer = data.draw(st.sampled_from(secrets).flatmap(keys_like))
    sending = UnsignedDelivery(body.encode(), now + timedelta(seconds=skew), "")
    (signed,) = sign(PADDLE, Secret(signer.encode()), sending).values()
    header = data.draw(mutations(signed, ";h1=", ";ts=", "h2=", "ts=1;"))
    sent = data.draw(bodies_like(body))
    is_same = (header, sent) == (signed, body) and signer in secrets
    assert_same_or_named(
        ours=we_accept(PADDLE, secrets, {PADDLE.signature_header: header}, sent, now),
        theirs=_package_accepts(sent, header, secrets),
        laxer=_package_is_laxer(header),
        stricter=_package_is_stricter(header),
        untouched=is_same and abs(skew) <= WINDOW_SECONDS,
        told=(header, sent, secrets),
    )
