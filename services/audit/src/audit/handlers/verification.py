"""Verify the whole log against its signed checkpoints (AU-4): parts in parallel, put together in order."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from audit.adapters import log_schema, verification
from audit.domain.log.checkpoints import Checkpoint, Verified
from audit.domain.log.conclusions import Evidence, conclude
from audit.domain.log.heads import check_head
from audit.domain.log.keys import VerifierKey
from audit.domain.log.regrowth import Regrowth
from audit.domain.log.tampering import Finding
from audit.domain.log.tree import EMPTY_ROOT
from audit.handlers.kept_checkpoints import Directory, Kept, check_copies, list_directory
from audit.handlers.verification_assembly import (
    Scope,
    State,
    begin,
    compare_beyond,
    put_together,
    verify_tail,
)
from audit.handlers.verification_loose import LooseReport
from audit.handlers.verification_parts import Source
from audit.handlers.verification_pool import reports
from chassis.postgres import Database

PART_LEAVES = 65_536

Show = Callable[[int, int], None]
"""Called with the leaves that are verified, and all of them."""


class NothingSealedError(Exception):
    """The log has no checkpoint and no leaf: there is nothing to verify yet."""


class AlteredSchemaError(Exception):
    """The tables of the log are not as the migrations made them. The text names each."""


@dataclass(frozen=True, slots=True)
class Request:
    """What to verify, and against what.

    Attributes:
        directory: of kept checkpoints outside the database; None without one.
        since: a checkpoint that the caller trusts; leaves before it are not read.
        part_leaves: leaves that a process verifies at a time, a multiple of 256.
    """

    dsn: str
    origin: str
    keys: tuple[VerifierKey, ...]
    directory: Path | None = None
    since: Checkpoint | None = None
    part_leaves: int = PART_LEAVES


@dataclass(slots=True)
class Verification:
    """Result.

    Attributes:
        findings: the first bad index first; at most a few hundred. `bad` counts all of them.
        leaves: that the newest checkpoint has; `verified` of them were read.
        payloads: of verified leaves that are still there; the others were erased.
        waiting: entries that are not sealed yet.
        kept: checkpoints that the tree was compared with; `outside` of them were not in the database.
        strange: files of the directory that are no checkpoints of this log.
    """

    origin: str
    leaves: int = 0
    verified: int = 0
    payloads: int = 0
    waiting: int = 0
    kept: int = 0
    outside: int = 0
    strange: Sequence[Path] = ()
    root: bytes = EMPTY_ROOT
    signatures: Sequence[Verified] = ()
    findings: Sequence[Finding] = ()
    bad: int = 0


def show_nothing(done: int, total: int) -> None:
    """Show no progress."""
    del done, total


async def verify_log(request: Request, show: Show = show_nothing) -> Verification:
    """Verify the log in one snapshot of the database.

    Raises:
        NothingSealedError: there is nothing to verify.
        CheckpointFileError: a file cannot be read, or is of another log.
        AlteredSchemaError: what the tables hold cannot be read as what was written.
    """
    directory = list_directory(request.directory) if request.directory else Directory(Path())
    others, strange = check_copies(directory.others, request.keys, origin=request.origin)
    database = Database(request.dsn, application_name="audit-verify", read_only=True)
    async with verification.reading(database) as session:
        if problems := await log_schema.altered(session):
            raise AlteredSchemaError("; ".join(problems))
        head = check_head(await verification.head(session), request.keys, origin=request.origin)
        leaves = await verification.leaves_end(session)
        largest = await verification.kept_end(session)
        if head.row is None and not leaves and largest < 0 and not directory.sizes and not others:
            raise NothingSealedError("nothing is sealed yet")
        snapshot = await verification.export_snapshot(session)
        source = Source(request.dsn, snapshot, request.origin, request.keys, request.directory)
        kept = [each for each in others if isinstance(each, Kept)]
        if request.since is not None:
            kept.append(Kept(request.since.size, request.since.root, "--since"))
        scope = Scope(session, source, head, leaves, directory, kept, request.since, request.part_leaves)
        state = State(Regrowth())
        state.add([each for each in others if isinstance(each, Finding)])
        return replace(await _verify(scope, state, show), strange=strange)


async def _verify(scope: Scope, state: State, show: Show) -> Verification:
    await begin(scope, state)
    loose = LooseReport()
    async for report in reports(scope):
        if isinstance(report, LooseReport):
            loose = report
            continue
        await put_together(scope.session, report, state)
        show(report.stop - scope.start, scope.stop - scope.start)
    head = await verify_tail(scope, state)
    await compare_beyond(scope, state)
    state.add(loose.findings)
    row = scope.head.row
    doubled = await verification.doubled(scope.session, [each.entry_id for each in state.disputes[:1]])
    findings = conclude(
        Evidence(
            head_problem=scope.head.problem,
            head=head,
            differing=state.differing,
            disputes=state.disputes,
            doubled=doubled,
            tail=state.tail,
            findings=state.findings,
            unsealed=loose.unsealed,
        )
    )
    show(scope.stop - scope.start, scope.stop - scope.start)
    return Verification(
        origin=scope.source.origin,
        leaves=scope.size,
        verified=scope.stop - scope.start,
        payloads=state.payloads,
        waiting=loose.waiting,
        kept=state.kept,
        outside=state.outside,
        root=row.root if row else EMPTY_ROOT,
        signatures=scope.head.signatures,
        findings=findings,
        bad=max(state.bad, len(findings)),
    )
