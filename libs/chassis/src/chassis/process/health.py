"""Health that tells the truth: alive is the process, ready is what it could do this moment."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass

CHECK_SECONDS_MAX = 3.0


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that readiness depends on; `detail` says what is wrong, or what state it is in."""

    ok: bool
    detail: str = ""


CheckFunction = Callable[[], Awaitable[Check]]


class Health:
    """The checks of one process. Ready when all of them are good."""

    def __init__(self) -> None:
        self._checks: dict[str, CheckFunction] = {}

    def add(self, name: str, check: CheckFunction) -> None:
        """Make readiness depend on one more thing."""
        self._checks[name] = check

    async def report(self) -> tuple[bool, Mapping[str, object]]:
        """Run all checks at once: whether ready, and a JSON-able account of each."""
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
    except Exception as error:  # noqa: BLE001 - whatever a check raises is its answer
        return Check(ok=False, detail=f"{type(error).__name__}: {error}")
