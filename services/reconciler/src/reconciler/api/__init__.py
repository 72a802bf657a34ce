"""HTTP edge of the reconciler (REC-10): exceptions and runs."""

from reconciler.api import exception_steps
from reconciler.api.exceptions import get_exception, list_exceptions
from reconciler.api.roles import ACCESS
from reconciler.api.runs import get_run, list_runs, post_run

ROUTES = (list_exceptions, get_exception, *exception_steps.ROUTES, post_run, list_runs, get_run)

__all__ = ["ACCESS", "ROUTES"]
