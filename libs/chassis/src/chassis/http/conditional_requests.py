"""Conditional requests (RFC 9110 §13): entity tags, If-None-Match and If-Match, for all services.

A tag is strong: it is the digest of the representation's bytes, so that it changes exactly when they do. A
representation with a version has the version before the digest, as `"3-5f2a…"`. If-Match takes the whole tag,
or the version alone: `"3"` (docs/conditional-requests.md).
"""

import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, TypeVar

from litestar import Response
from litestar.params import HeaderParameter
from litestar.serialization import default_serializer, encode_json

from chassis.http.problems import Problem

ContentT = TypeVar("ContentT")

_ANY = "*"
_DIGEST_CHARACTERS = 32
_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
_TAG_LIST = re.compile(rf"\s*{_TAG}(?:\s*,\s*{_TAG})*\s*")
_ONE_TAG = re.compile(r'(W/)?("[\x21\x23-\x7e\x80-\xff]*")')


class IfMatch:
    """The If-Match of one request, or none.

    Args:
        header: its value; None without the header.

    Raises:
        Problem: 400 `malformed-if-match`.
    """

    def __init__(self, header: str | None) -> None:
        self._tags = None if header is None else parse_tags("If-Match", header)

    @property
    def is_any(self) -> bool:
        """Return True without the header and for `*`: every state of the resource is accepted."""
        return self._tags is None

    def allows(self, tag: str, version: int) -> bool:
        """Return whether the header names the present tag or version. A weak tag never matches (§13.1.1)."""
        return self._tags is None or any(
            not is_weak and listed in {tag, f'"{version}"'} for is_weak, listed in self._tags
        )

    def allows_version(self, version: int) -> bool:
        """Return whether the header names this version, alone or before a digest.

        For a resource whose representation also shows what others do: a step is meant for a version.
        """
        return self._tags is None or any(
            not is_weak and listed.strip('"').partition("-")[0] == str(version)
            for is_weak, listed in self._tags
        )


def parse_tags(name: str, header: str) -> list[tuple[bool, str]] | None:
    """Return the entity tags of a header, each with whether it is weak; None for `*`.

    Raises:
        Problem: 400 `malformed-if-match` or `malformed-if-none-match`.
    """
    if header.strip() == _ANY:
        return None
    if not _TAG_LIST.fullmatch(header):
        kind = f"malformed-{name.lower()}"
        raise Problem(400, kind, f'{name}: expected an ETag or a version in quotes, such as "3", or *')
    return [(bool(weak), tag) for weak, tag in _ONE_TAG.findall(header)]


def entity_tag(representation: bytes, version: int | None = None) -> str:
    """Return the strong tag of a representation's bytes."""
    digest = hashlib.sha256(representation).hexdigest()[:_DIGEST_CHARACTERS]
    return f'"{digest}"' if version is None else f'"{version}-{digest}"'


def encode(content: Any) -> bytes:
    """Return the bytes that the framework sends for this content."""
    return encode_json(content, default_serializer)


def tagged(
    content: ContentT, version: int, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response[ContentT]:
    """Return an answer with a representation and its ETag."""
    body: Any = encode(content)
    tag = {"ETag": entity_tag(body, version)}
    return Response(
        body, status_code=status, media_type="application/json", headers={**tag, **(headers or {})}
    )


def if_match_provider(*, required: bool) -> Callable[..., Awaitable[IfMatch]]:
    """Return the function that provides the dependency `if_match`.

    Args:
        required: refuse a request without the header (`REQUIRE_IF_MATCH`).
    """

    async def provide_if_match(
        header: Annotated[
            str | None,
            HeaderParameter(
                name="If-Match",
                description='the ETag that was read, or its version in quotes, such as "3": the change is'
                " made if the resource is still so. Wanted where REQUIRE_IF_MATCH=true",
            ),
        ] = None,
    ) -> IfMatch:
        if required and header is None:
            detail = 'If-Match: missing; send the ETag that you have read, or its version, such as "3"'
            raise Problem(428, "precondition-required", detail)
        return IfMatch(header)

    return provide_if_match
