"""All routes of the service."""

from reconciler.api import exception_operations, exception_steps, exception_views, runs, sweeps
from reconciler.api.exception_export import export_exceptions
from reconciler.api.exception_groups import list_exception_groups
from reconciler.api.exceptions import get_exception, list_exceptions

ROUTES = (
    list_exceptions,
    get_exception,
    export_exceptions,
    list_exception_groups,
    *exception_views.ROUTES,
    *exception_steps.ROUTES,
    *exception_operations.ROUTES,
    *runs.ROUTES,
    *sweeps.ROUTES,
)
