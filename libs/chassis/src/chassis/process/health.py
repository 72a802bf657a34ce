"""Health: live means that the process runs, ready means that all of its checks pass now."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass

from chassis.process.terminal import obstacle

CHECK_SECONDS_MAX = 3.0


@dataclass(frozen=True, slots=True)
class Check:
    """Result of one check of readiness. `detail` says what is wrong, or describes the state."""

    ok: bool
    detail: str = ""


CheckFunction = Callable[[], Awaitable[Check]]


class Health:
    """The checks of one process. The process is ready when all of them pass."""

    def __init__(self) -> None:
        self._checks: dict[str, CheckFunction] = {}

    def add(self, name: str, check: CheckFunction) -> None:
        """Add a check to readiness."""
        self._checks[name] = check

    async def report(self) -> tuple[bool, Mapping[str, object]]:
        """Run all checks concurrently. Return whether all passed, and the body of `/health/ready`."""
        results = await asyncio.gather(*(_bounded(check) for check in self._checks.values()))
        ready = all(result.ok for result in results)
        checks = {name: asdict(result) for name, result in zip(self._checks, results, strict=True)}
        return ready, {"status": "ready" if ready else "not_ready", "checks": checks}


async def _bounded(check: CheckFunction) -> Check:
    try:
        async with asyncio.timeout(CHECK_SECONDS_MAX):
            return await check()
    except TimeoutError:
        return Check(ok=False, detail=f"no answer within {CHECK_SECONDS_MAX:g} s")
    except Exception as error:  # noqa: BLE001 - an error of a check is its result
        return Check(ok=False, detail=obstacle(error))
