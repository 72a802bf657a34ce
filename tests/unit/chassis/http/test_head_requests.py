"""An application that answers GET answers HEAD too, with the same headers and no body."""

from typing import Any

from chassis.http.head_requests import HeadAsGet


async def ask(method: str, pieces: int = 1) -> tuple[list[Any], dict[str, Any], list[str]]:
    """Return what was sent, the scope afterwards, and the method that the application saw."""
    sent: list[Any] = []
    seen: list[str] = []
    scope: dict[str, Any] = {"type": "http", "method": method, "path": "/things/7"}

    async def application(inner: Any, _receive: Any, send: Any) -> None:
        seen.append(inner["method"])
        inner["path_template"] = "/things/{id}"
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
        for number in range(pieces):
            await send({"type": "http.response.body", "body": b"body", "more_body": number < pieces - 1})

    async def receive() -> Any:
        raise AssertionError("nothing is received")

    async def send(message: Any) -> None:
        sent.append(message)

    served: Any = scope
    await HeadAsGet(application)(served, receive, send)
    return sent, scope, seen


async def test_head_is_a_get_without_its_body() -> None:
    for pieces in (1, 3):
        (start, body), scope, seen = await ask("HEAD", pieces)
        assert seen == ["GET"]
        assert (start["status"], start["headers"]) == (200, [(b"content-length", b"4")])
        assert (body["body"], body["more_body"]) == (b"", False)
        assert (scope["method"], scope["path_template"]) == ("HEAD", "/things/{id}"), "for the log"


async def test_other_methods_pass_unchanged() -> None:
    sent, _, seen = await ask("GET", pieces=2)
    assert (seen, [each.get("body") for each in sent]) == (["GET"], [None, b"body", b"body"])
    assert (await ask("POST"))[2] == ["POST"]
