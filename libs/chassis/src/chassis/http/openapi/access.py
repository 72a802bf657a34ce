"""Roles of each route in the OpenAPI document, for every AUTH_MODE.

Since OpenAPI 3.1 a security requirement of an `http` scheme may name roles (§4.8.30), one alternative each.
"""

from litestar import Litestar
from litestar.openapi.spec import Components, Operation, SecurityScheme

from chassis.auth.access import Access
from chassis.auth.guard import AccessRefusedError
from chassis.auth.identity import Refusal, RefusalReason

SCHEME = "bearer"

COMPONENTS = Components(
    security_schemes={
        SCHEME: SecurityScheme(
            type="http",
            scheme="bearer",
            bearer_format="JWT",
            description="Required where AUTH_MODE=jwt. Roles: viewer, operator, finance.",
        )
    }
)


def _refusals() -> dict[int, list[str]]:
    kinds: dict[int, list[str]] = {}
    for reason in RefusalReason:
        status = int(AccessRefusedError(Refusal(reason, "")).status)
        kinds.setdefault(status, []).append(reason.value.replace("_", "-"))
    return kinds


# Status → kinds of the problems that the guard answers (AUTH_MODE=jwt).
REFUSALS = _refusals()


def describe_access(app: Litestar, access: Access) -> None:
    """Add each route's roles to the application's document."""
    for path, item in (app.openapi_schema.paths or {}).items():
        for method in ("get", "post", "put", "patch", "delete"):
            operation: Operation | None = getattr(item, method)
            roles = access.get(f"{method.upper()} {path}")
            if operation is not None and roles:
                operation.security = [{SCHEME: [role.value]} for role in sorted(roles)]
