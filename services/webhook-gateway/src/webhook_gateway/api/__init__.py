"""HTTP: the webhook route on bare ASGI, its responses and its OpenAPI description."""
