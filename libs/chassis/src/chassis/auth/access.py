"""Roles of routes: each service lists its routes in one table. A route that is not listed is forbidden."""

from collections.abc import Mapping

from chassis.auth.identity import Role

READERS = frozenset(Role)
OPERATORS = frozenset({Role.OPERATOR})
FINANCE = frozenset({Role.FINANCE})
OPERATORS_AND_FINANCE = frozenset({Role.OPERATOR, Role.FINANCE})

ANYBODY: None = None
"""Of a route that needs no token, in every AUTH_MODE."""

# Method and path as in the OpenAPI document, such as "GET /things/{thing_id}" → roles, any one suffices;
# or ANYBODY.
Access = Mapping[str, frozenset[Role] | None]

PUBLIC_ROUTES = frozenset({"/health/live", "/health/ready", "/metrics"})
PUBLIC_PREFIX = "/schema"


def is_public(path: str) -> bool:
    """Return whether the route needs no token: health, metrics and the OpenAPI document, in every service."""
    return path in PUBLIC_ROUTES or path == PUBLIC_PREFIX or path.startswith(f"{PUBLIC_PREFIX}/")


def roles_of(access: Access, route: str) -> frozenset[Role] | None:
    """Return the roles that may use a route, or ANYBODY. Nobody may use a route that is not in the table."""
    return access.get(route, frozenset())
