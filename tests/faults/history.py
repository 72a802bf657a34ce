"""What the load generator did and what it was told: one JSON line per attempt."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path

from faults.plan import API, CHANGES, SMS, Op


class Outcome(StrEnum):
    """`ok` is a promise (2xx), `fail` a refusal (4xx, 503, or nobody there), `info` may be either."""

    OK = "ok"
    FAIL = "fail"
    INFO = "info"


_RANK = {Outcome.FAIL: 0, Outcome.INFO: 1, Outcome.OK: 2}


@dataclass(frozen=True, slots=True)
class Line:
    """One attempt of one operation.

    Attributes:
        t: when it was answered, in seconds since the load began.
        began: when it was sent.
        op, id, key: of the operation.
        outcome: as the sender understands the answer.
        status: HTTP status code, None without an answer.
        reason: of a refusal, from the gateway's closed list.
        signed: how the sender signed, in the words of a row that has it done in several ways.
    """

    t: float
    began: float
    op: Op
    id: str
    key: str
    outcome: Outcome
    status: int | None
    reason: str | None = None
    signed: str = ""

    @property
    def source(self) -> str:
        """The configured sender of a delivery."""
        return "sms" if self.op in SMS else "stripe"

    @property
    def is_refusal(self) -> bool:
        """Return whether the answer tells the sender not to repeat the delivery (4xx)."""
        return self.status is not None and 400 <= self.status < 500


@dataclass(frozen=True)
class History:
    """All lines of a run, in order of `t`."""

    lines: tuple[Line, ...]

    @cached_property
    def outcomes(self) -> dict[tuple[Op, str], Outcome]:
        """Per operation the strongest thing that was said: ok before info before fail."""
        best: dict[tuple[Op, str], Outcome] = {}
        for line in self.lines:
            known = best.get((line.op, line.id), Outcome.FAIL)
            best[line.op, line.id] = max(known, line.outcome, key=_RANK.__getitem__)
        return best

    @property
    def deliveries(self) -> dict[tuple[str, str], Outcome]:
        """Source and event id of every delivery, and its outcome."""
        api = {Op.CREATE, *CHANGES}
        return {
            ("sms" if op in SMS else "stripe", id_): outcome
            for (op, id_), outcome in self.outcomes.items()
            if op not in api
        }

    @property
    def genuine(self) -> list[Line]:
        """The attempts of deliveries that were not forged."""
        return [line for line in self.lines if line.op not in API and line.op is not Op.FORGED]

    @property
    def refused(self) -> list[Line]:
        """Return the refused deliveries."""
        return [line for line in self.genuine if line.is_refusal]

    def ids(self, ops: Iterable[Op], *outcomes: Outcome) -> set[str]:
        """Ids of the operations of some kinds that ended in one of some ways; in any, if none is named."""
        wanted = set(ops)
        return {
            id_
            for (op, id_), outcome in self.outcomes.items()
            if op in wanted and (not outcomes or outcome in outcomes)
        }

    def write(self, path: Path) -> None:
        """As JSON lines."""
        path.write_text("".join(json.dumps(asdict(line)) + "\n" for line in self.lines), encoding="utf-8")


def read_history(path: Path) -> History:
    """Read what `write` wrote."""
    lines = (json.loads(text) for text in path.read_text(encoding="utf-8").splitlines())
    return History(
        tuple(Line(**{**line, "op": Op(line["op"]), "outcome": Outcome(line["outcome"])}) for line in lines)
    )
