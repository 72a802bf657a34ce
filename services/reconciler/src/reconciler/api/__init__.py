"""HTTP edge of the reconciler (REC-10): exceptions, bulk operations, runs and sweeps."""

from reconciler.api import exception_operations, exception_steps, runs, sweeps
from reconciler.api.exceptions import get_exception, list_exceptions
from reconciler.api.roles import ACCESS

ROUTES = (
    list_exceptions,
    get_exception,
    *exception_steps.ROUTES,
    *exception_operations.ROUTES,
    *runs.ROUTES,
    *sweeps.ROUTES,
)

__all__ = ["ACCESS", "ROUTES"]
