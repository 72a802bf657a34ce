"""Which role opens which route: each service states all of its routes in one table, the rest is shut."""

from collections.abc import Mapping

from chassis.auth.identity import Role

READERS = frozenset(Role)
OPERATORS = frozenset({Role.OPERATOR})
OPERATORS_AND_FINANCE = frozenset({Role.OPERATOR, Role.FINANCE})

Access = Mapping[str, frozenset[Role]]
"""`"GET /things/{thing_id}"`: method and path as the OpenAPI document has them; any of the roles will do."""

PUBLIC_ROUTES = frozenset({"/health/live", "/health/ready", "/metrics"})
PUBLIC_PREFIX = "/schema"


def is_public(path: str) -> bool:
    """Whether the route is for everybody: health, metrics and the OpenAPI document, in every service."""
    return path in PUBLIC_ROUTES or path == PUBLIC_PREFIX or path.startswith(f"{PUBLIC_PREFIX}/")
