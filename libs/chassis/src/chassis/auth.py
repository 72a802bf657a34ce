"""Who asks (ALL-4). With AUTH_MODE=off everybody is "system"; tokens and roles are the next step.

Routes take the actor from here already, so that turning tokens on changes this file alone.
"""

from typing import Any

from litestar import Request

SYSTEM_ACTOR = "system"


async def provide_actor(request: Request[Any, Any, Any]) -> str:
    """Dependency `actor`: who is recorded as `changed_by` (BK-4)."""
    del request
    return SYSTEM_ACTOR
