"""Roles that may use the reconciler's routes (ALL-4)."""

from chassis.auth.access import OPERATORS_AND_FINANCE, READERS, Access
from chassis.dead_letters.operator.routes import DEAD_LETTER_ACCESS

ACCESS: Access = {
    "GET /api/exceptions": READERS,
    "GET /api/exceptions/export": READERS,
    "GET /api/exceptions/{exception_id}": READERS,
    "GET /api/exception-groups": READERS,
    "GET /api/exception-views": READERS,
    "POST /api/exception-views": READERS,
    "POST /api/exception-views/{view_id}/default": READERS,
    "DELETE /api/exception-views/{view_id}": READERS,
    "POST /api/exceptions/{exception_id}/acknowledge": OPERATORS_AND_FINANCE,
    "POST /api/exceptions/{exception_id}/assign": OPERATORS_AND_FINANCE,
    "POST /api/exceptions/{exception_id}/resolve": OPERATORS_AND_FINANCE,
    "POST /api/exceptions/{exception_id}/reopen": OPERATORS_AND_FINANCE,
    "POST /api/exceptions/{exception_id}/suppress": OPERATORS_AND_FINANCE,
    "POST /api/exceptions/{exception_id}/comment": OPERATORS_AND_FINANCE,
    "POST /api/exceptions/{exception_id}/revert": OPERATORS_AND_FINANCE,
    "GET /api/exception-operations": READERS,
    "POST /api/exception-operations": OPERATORS_AND_FINANCE,
    "GET /api/exception-operations/{operation_id}": READERS,
    "GET /api/exception-operations/{operation_id}/items": READERS,
    "POST /api/exception-operations/{operation_id}/apply": OPERATORS_AND_FINANCE,
    "POST /api/exception-operations/{operation_id}/revert": OPERATORS_AND_FINANCE,
    "GET /api/reconciliation/runs": READERS,
    "POST /api/reconciliation/runs": OPERATORS_AND_FINANCE,
    "GET /api/reconciliation/runs/{run_id}": READERS,
    "GET /api/reconciliation/runs/{run_id}/findings": READERS,
    "POST /api/reconciliation/runs/{run_id}/cancel": OPERATORS_AND_FINANCE,
    "GET /api/sweeps": READERS,
    "POST /api/sweeps": OPERATORS_AND_FINANCE,
    "GET /api/sweeps/{sweep_id}": READERS,
    **DEAD_LETTER_ACCESS,
}
