"""Roles that may use the reconciler's routes (ALL-4)."""

from chassis.auth.access import OPERATORS_AND_FINANCE, READERS, Access
from chassis.dead_letters.operator.routes import DEAD_LETTER_ACCESS

ACCESS: Access = {
    "GET /api/exceptions": READERS,
    "GET /api/exceptions/{exception_id}": READERS,
    "GET /api/reconciliation/runs": READERS,
    "POST /api/reconciliation/runs": OPERATORS_AND_FINANCE,
    "GET /api/reconciliation/runs/{run_id}": READERS,
    **DEAD_LETTER_ACCESS,
}
