"""Random interleavings of runs, people and reports: what comes back has really come back (REC-8).

The world is a booking whose problem exists or not. A run takes its evidence number, then reads, and writes
later. The oracle is told what each read saw and when each person judged, in the order in which it happened.
"""

import random
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from harness.exploring import examples
from reconciler.domain.commands import Gone, Reopen, Resolve, Seen
from reconciler.domain.decisions import Decision, StepRefusedError
from reconciler.domain.exceptions import ExceptionState
from reconciler.domain.findings import Finding
from reconciler.domain.steps import open_exception, step

AT = datetime(2026, 11, 30, tzinfo=UTC)
SEEDS = 10_000
MOVES = 24


@dataclass
class Read:
    """A read that a run has made and not yet written."""

    evidence: int
    saw: bool


class Story:
    """One seeded interleaving; `evidence` stands for the database's sequence."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._evidence = 0
        self._broken = True
        self._reads: list[Read] = []
        self._state: ExceptionState | None = None
        # The newest truth that the queue was told: its number, and whether the problem stood.
        self._told = (0, False)
        self.came_back = 0
        self.openings = 0

    def play(self) -> None:
        for _ in range(MOVES):
            move = self._random.choice(
                (self._read, self._read, self._write, self._write, self._resolve, self._mend_or_break,
                 self._report, self._reopen)
            )  # fmt: skip
            move()
            self._check()

    def _next(self) -> int:
        self._evidence += 1
        return self._evidence

    def _mend_or_break(self) -> None:
        self._broken = not self._broken

    def _read(self) -> None:
        if len(self._reads) < 2:
            self._reads.append(Read(self._next(), self._broken))

    def _write(self) -> None:
        if self._reads:
            read = self._reads.pop(self._random.randrange(len(self._reads)))
            self._tell(read.evidence, read.saw)

    def _report(self) -> None:
        self._tell(self._next(), self._broken)

    def _tell(self, evidence: int, saw: bool) -> None:
        was_resolved = self._state is not None and self._state.status == "resolved"
        is_newer = evidence > self._told[0]
        if saw:
            decision = self._see(evidence)
        elif self._state is not None:
            decision = step(self._state, Gone("fixed", "", evidence, "reconciler"), at=AT)
        else:
            return
        kinds = [each.kind for each in decision.steps]
        assert ("regressed" in kinds) == (saw and was_resolved and is_newer), "false or missed return"
        self.came_back += "regressed" in kinds
        self.openings += "opened" in kinds
        self._state = decision.state
        if is_newer:
            self._told = (evidence, saw)

    def _see(self, evidence: int) -> Decision:
        finding = Finding("not_charged", "b", None, "low", "t", "f", {}, currency="USD", amount=5)
        seen = Seen(finding, evidence, "reconciler", "")
        return open_exception("e", seen, at=AT) if self._state is None else step(self._state, seen, at=AT)

    def _resolve(self) -> None:
        if self._state is not None and self._state.status != "resolved":
            number = self._next()
            self._state = step(self._state, Resolve("ana", "fixed", "", number), at=AT).state
            self._told = (number, False)

    def _reopen(self) -> None:
        if self._state is None:
            return
        number = self._next()
        try:
            self._state = step(self._state, Reopen("ana", "", number), at=AT).state
        except StepRefusedError:
            return
        self._told = (number, True)

    def _check(self) -> None:
        """The status follows the newest truth, whatever arrived late; nothing is opened twice."""
        if self._state is None:
            return
        assert (self._state.status != "resolved") == self._told[1]
        assert self.openings == 1
        assert self._state.regressions == self.came_back


@pytest.mark.explores
def test_status_follows_the_newest_evidence_in_any_interleaving() -> None:
    came_back = 0
    for seed in range(examples(SEEDS)):
        story = Story(seed)
        story.play()
        came_back += story.came_back
    assert came_back, "no story had anything come back"
