"""A server that answers `GET /v1/…` as Stripe's API does, with the objects that a test puts there."""

import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

API_KEY = "sk_test_harness"


class StripeApi:
    """Objects by path, such as `/v1/payment_intents/pi_1`, and failures that come before them.

    Attributes:
        objects: answered with status 200; other paths get 404.
        failures: statuses that a path answers first, each once.
        requests: paths that were asked for, in order.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.objects: dict[str, dict[str, Any]] = {}
        self.failures: dict[str, list[int]] = {}
        self.requests: list[str] = []

    def answer(self, path: str, authorization: str | None) -> tuple[int, dict[str, Any]]:
        """Return status and body for a request."""
        self.requests.append(path)
        if authorization != f"Bearer {API_KEY}":
            return 401, _error("invalid_request_error")
        if self.failures.get(path):
            return self.failures[path].pop(0), _error("api_error")
        if path not in self.objects:
            return 404, _error("invalid_request_error")
        return 200, self.objects[path]


@contextmanager
def stripe_api() -> Generator[StripeApi]:
    """Run the server on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = api.answer(self.path.partition("?")[0], self.headers["Authorization"])
            content = json.dumps(body).encode()
            self.send_response(status)
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
