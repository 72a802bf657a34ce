"""A server that answers `GET /v1/…` as Stripe's API does, with the objects that a test puts there."""

import json
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

API_KEY = "sk_test_harness"

_PAGE_OBJECTS_DEFAULT = 10
_PAGE_OBJECTS_MAX = 100
_TYPES_MAX = 20


@dataclass(frozen=True)
class Failure:
    """An answer that a path gives once, instead of its own.

    Attributes:
        status: of HTTP; 200 gives the path's own answer, late or repeated.
        headers: such as `Retry-After`.
        seconds: to wait before the answer.
        repeats: answer a list with the page of the request before.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    seconds: float = 0.0
    repeats: bool = False


class StripeApi:
    """Objects by path, such as `/v1/payment_intents/pi_1`, lists by path, such as `/v1/events`, and failures.

    Attributes:
        objects: answered with status 200; other paths get 404.
        lists: objects of a list in any order; the answer is a page, newest first.
        failures: what a path answers first, each once; a number is a status.
        requests: paths that were asked for, in order.
        queries: of the requests, in order.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.objects: dict[str, dict[str, Any]] = {}
        self.lists: dict[str, list[dict[str, Any]]] = {}
        self.failures: dict[str, list[int | Failure]] = {}
        self.requests: list[str] = []
        self.queries: list[dict[str, list[str]]] = []
        self._pages: dict[str, dict[str, Any]] = {}

    def answer(
        self, path: str, query: str, authorization: str | None
    ) -> tuple[int, Mapping[str, str], dict[str, Any]]:
        """Return status, headers and body for a request."""
        parameters = parse_qs(query)
        self.requests.append(path)
        self.queries.append(parameters)
        if authorization != f"Bearer {API_KEY}":
            return 401, {}, _error("invalid_request_error")
        failure = self._next_failure(path)
        time.sleep(failure.seconds)  # the slow answer that a test asked for, on a thread of this server
        if failure.status != 200:
            return failure.status, failure.headers, _error("api_error")
        if failure.repeats:
            return 200, {}, self._pages[path]
        if path in self.lists:
            status, page = _page(path, self.lists[path], parameters)
            self._pages[path] = page
            return status, {}, page
        parent, _, identifier = path.rpartition("/")
        listed = [item for item in self.lists.get(parent, []) if item["id"] == identifier]
        found = self.objects.get(path) or (listed[-1] if listed else None)
        return (200, {}, found) if found else (404, {}, _error("invalid_request_error"))

    def _next_failure(self, path: str) -> Failure:
        waiting = self.failures.get(path)
        failure = waiting.pop(0) if waiting else Failure()
        return Failure(failure) if isinstance(failure, int) else failure


def _page(
    path: str, items: list[dict[str, Any]], parameters: Mapping[str, list[str]]
) -> tuple[int, dict[str, Any]]:
    """Return status and page as docs.stripe.com/api/pagination describes it."""
    first = {name: values[0] for name, values in parameters.items()}
    types = {value for name, values in parameters.items() if name.startswith("types[") for value in values}
    limit = int(first.get("limit", _PAGE_OBJECTS_DEFAULT))
    if not 1 <= limit <= _PAGE_OBJECTS_MAX or len(types) > _TYPES_MAX:
        return 400, _error("invalid_request_error")
    oldest, newest = int(first.get("created[gte]", 0)), int(first.get("created[lte]", 2**40))
    found = [
        item
        for item in sorted(items, key=lambda item: (item["created"], item["id"]), reverse=True)
        if oldest <= item["created"] <= newest and (not types or item["type"] in types)
    ]
    if (after := first.get("starting_after")) is not None:
        ids = [item["id"] for item in found]
        if after not in {item["id"] for item in items}:
            return 400, _error("invalid_request_error")
        found = found[ids.index(after) + 1 :] if after in ids else []
    return 200, {
        "object": "list",
        "url": path,
        "has_more": len(found) > limit,
        "data": found[:limit],
    }


@contextmanager
def stripe_api() -> Generator[StripeApi]:
    """Run the server on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            status, headers, body = api.answer(path, query, self.headers["Authorization"])
            content = json.dumps(body).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the base class
            del format, args

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        api = StripeApi(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield api
        finally:
            server.shutdown()
            thread.join()


def _error(kind: str) -> dict[str, Any]:
    return {"error": {"type": kind, "message": "as the test wants"}}
