"""What came of a row, and the files that keep it."""

import json
import time
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from faults.moves import MovableInfra
from faults.plan import Size
from faults.rows import Row
from faults.scene import Scene
from harness import Infra, start_services
from plumbline import waiting

ENVIRONMENT = {"ENABLE_WEBHOOK_VALIDATION": "true"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Of one run of one row; it holds when there is no violation."""

    row: str
    fault: str
    seed: int
    deliveries: int
    violations: list[str]
    notes: dict[str, object]
    seconds: float

    @property
    def holds(self) -> bool:
        """Return whether every promise holds."""
        return not self.violations

    def write(self, directory: Path) -> None:
        """As `<row>.json`."""
        text = json.dumps(asdict(self), indent=2, default=str)
        (directory / f"{self.row}.json").write_text(text + "\n", encoding="utf-8")


async def judge(row: Row, infra: Infra, *, size: Size, seed: int, directory: Path) -> Verdict:
    """Run a row on a stack of its own and judge it by G; its history is kept in `directory`."""
    began, own = time.monotonic(), list[str]()
    servers = MovableInfra(infra)
    async with start_services(servers, env=ENVIRONMENT) as stack, AsyncExitStack() as stay:
        await waiting.gather_or_cancel(*(stack.start(name) for name in row.services))
        scene = Scene(servers, stack, size, seed, stay)
        try:
            await row.run(scene)
        except* AssertionError as group:
            own = [str(error) for error in _leaves(group)]
        violations = own + await scene.violations()
    scene.history.write(directory / f"{row.name}.jsonl")
    verdict = Verdict(
        row=row.name,
        fault=row.fault,
        seed=seed,
        deliveries=len(scene.history.deliveries),
        violations=violations,
        notes=scene.notes,
        seconds=round(time.monotonic() - began, 1),
    )
    verdict.write(directory)
    return verdict


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    return [
        leaf
        for error in group.exceptions
        for leaf in (_leaves(error) if isinstance(error, BaseExceptionGroup) else [error])
    ]
