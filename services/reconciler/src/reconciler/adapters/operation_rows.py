"""Rows of table `exception_operation` as the domain knows them, and back."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal, cast

import asyncpg

from contracts.money import Money
from contracts.times import parse_time
from reconciler.domain.filter_members import parse_members, to_members
from reconciler.domain.operations import (
    Action,
    OperationRefusedError,
    OperationState,
    OperationStatus,
    PlannedStep,
    Selection,
    StepArguments,
    Token,
)

WORK_COLUMNS = """
    id, status, action, arguments, actor, reverted_by, attempts, error,
    (
        SELECT reason FROM exception_operation_reason
        WHERE operation_id = exception_operation.id
            AND step = CASE exception_operation.status WHEN 'reverting' THEN 'revert' ELSE 'apply' END
    ) AS reason
"""


@dataclass(frozen=True, slots=True)
class OperationWork:
    """An operation that is applied or taken back.

    Attributes:
        arguments: as stored; `planned` reads them.
        actor: who applied it.
        takes: outcome of the items that are still to be worked on.
        by: who applies it or takes it back.
        text: what they typed; empty if nothing, or erased.
        attempts: at the present batch, that failed.
    """

    id: str
    status: OperationStatus
    action: Action
    arguments: str
    actor: str
    takes: Literal["pending", "stepped"]
    by: str
    text: str
    attempts: int
    error: str | None

    @property
    def planned(self) -> PlannedStep:
        """Return the step to take.

        Raises:
            ValueError: the row was changed behind the service.
        """
        return PlannedStep(self.action, read_arguments(self.arguments), self.text, self.actor)


def read_work(row: asyncpg.Record) -> OperationWork:
    reverts = row["status"] == "reverting"
    return OperationWork(
        str(row["id"]),
        row["status"],
        row["action"],
        row["arguments"],
        row["actor"],
        "stepped" if reverts else "pending",
        row["reverted_by"] if reverts else row["actor"],
        row["reason"] or "",
        row["attempts"],
        row["error"],
    )


def read_state(row: asyncpg.Record) -> OperationState:
    digest, expires_at = row["token_sha256"], row["token_expires_at"]
    token = None if digest is None or expires_at is None else Token(digest, expires_at)
    return OperationState(str(row["id"]), row["status"], row["actor"], token)


def arguments_json(arguments: StepArguments) -> str:
    given = {name: value for name, value in asdict(arguments).items() if value is not None}
    return json.dumps(given, default=datetime.isoformat)


def read_arguments(text: str) -> StepArguments:
    """Return stored arguments.

    Raises:
        ValueError: they were changed behind the service.
    """
    try:
        members: dict[str, Any] = json.loads(text)
        for name in ("up_to", "beyond"):
            if isinstance(size := members.get(name), dict):
                members[name] = Money(**cast("dict[str, Any]", size))
        if "until" in members:
            members["until"] = parse_time(members["until"])
        return StepArguments(**members)
    except (TypeError, AttributeError) as error:
        raise ValueError(f"arguments: {error}") from error


def selection_json(selection: Selection) -> str:
    if selection.query is not None:
        return json.dumps({"filter": to_members(selection.query)})
    return json.dumps({"ids": selection.ids})


def read_selection(text: str) -> Selection:
    """Return a stored selection.

    Raises:
        OperationRefusedError: it was erased. An empty filter would select everything.
    """
    stored: dict[str, Any] = json.loads(text)
    if "filter" in stored:
        return Selection(query=parse_members(stored["filter"]))
    if "ids" in stored:
        return Selection(ids=tuple(stored["ids"]))
    message = "the selection of this operation was erased; make a dry run again"
    raise OperationRefusedError(message, kind="selection-token-expired")


def sums_json(sums: Mapping[str, int]) -> str:
    return json.dumps(dict(sums))
