"""The gateway's HTTP/1.1 protocol: uvicorn's, with what a port on the internet needs (decision 0036)."""

from webhook_gateway.server.protocol import BoundedHttpProtocol

__all__ = ["BoundedHttpProtocol"]
