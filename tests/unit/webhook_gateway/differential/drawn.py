"""What the differential tests draw, and how they classify two verdicts that differ.

Each test asks a provider's own package and our engine about the same delivery. A difference is allowed only
where the test names it: in what the package is laxer, or stricter, than we are.
"""

from collections.abc import Mapping
from datetime import datetime

from hypothesis import strategies as st

from unit.webhook_gateway.signed_deliveries import PUBLIC_URL
from webhook_gateway.domain.verification import AcceptedScheme, Scheme, Secret, Verified, verify

WINDOW_SECONDS = 300

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
"""Bodies: the packages that want text get them as they are, we get their UTF-8."""
header_texts = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=90)
keys = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=80)
"""Secrets as text, short ones and such as are longer than a block of SHA-256."""
skews = st.integers(-400, 400)
"""Seconds between signing and judging, on both sides of both ends of the window."""
# A process may stand still between our reading of the clock and the package's: the ends are a minute away.
skews_in_real_time = st.sampled_from([-400, -240, 0, 0, 240, 400])
"""The same for packages that read the real clock."""

MOSTLY = 8
"""So many times more often a thing is left as it is than changed in one way: or else all would be refused."""
PIECES = ("", "0", "a", "A", ",", ";", "=", "==", ".", " ", ":", "\xe9", "+", "_")


@st.composite
def mutations(draw: st.DrawFn, text: str, *own_pieces: str) -> str:
    """The text itself, or with a few characters replaced, removed or inserted.

    Args:
        draw: hypothesis's.
        text: what is mutated.
        own_pieces: what may be inserted besides PIECES, as the marks of a header's items.
    """
    for _ in range(draw(st.sampled_from([*MOSTLY * [0], 1, 2, 3]))):
        at = draw(st.integers(0, len(text)))
        cut = draw(st.integers(0, 2))
        text = text[:at] + draw(st.sampled_from([*PIECES, *own_pieces])) + text[at + cut :]
    return text


def bodies_like(body: str) -> st.SearchStrategy[str]:
    """The body as it was signed, or another."""
    return st.sampled_from([*MOSTLY * [body], body + " ", body[1:], body + "\n", "{}"])


def keys_like(key: str) -> st.SearchStrategy[str]:
    """The right secret, or one that somebody else may have."""
    return st.sampled_from([*MOSTLY * [key], key + "x", key[:-1] + "~~"])


def we_accept(
    scheme: Scheme,
    secrets: str | bytes | list[str],
    headers: Mapping[str, str],
    body: str | bytes,
    now: datetime,
    *,
    query: str = "",
    public_url: str = PUBLIC_URL,
) -> bool:
    """Our own verdict."""
    given = secrets if isinstance(secrets, list) else [secrets]
    keys = tuple(Secret(each.encode() if isinstance(each, str) else each) for each in given)
    verdict = verify(
        [(name.encode(), value.encode("latin-1")) for name, value in headers.items()],
        body.encode() if isinstance(body, str) else body,
        [AcceptedScheme(scheme, keys, public_url=public_url)],
        now,
        query.encode(),
    )
    return isinstance(verdict, Verified)


def assert_same_or_named(
    *,
    ours: bool,
    theirs: bool,
    laxer: str | None,
    stricter: str | None,
    untouched: bool,
    told: object,
) -> None:
    """Both verdicts are the same, or the test knows why they are not.

    Args:
        ours: whether we accept.
        theirs: whether the package does.
        laxer: in what the package is known to be laxer with this delivery.
        stricter: in what it is known to be stricter.
        untouched: whether this is a good delivery as it was signed, which both have to accept.
        told: the delivery, for the report.
    """
    if untouched:
        assert ours, f"we refuse a good delivery: {told}"
        assert theirs or stricter, f"the package refuses a good delivery: {told}"
    if theirs and not ours:
        assert laxer, f"the package accepts what we refuse: {told}"
    if ours and not theirs:
        assert stricter, f"we accept what the package refuses: {told}"
