import os
import subprocess
import sys
from pathlib import Path

import pytest

from plumbline import recovery
from plumbline.failure import StackError
from plumbline.identity import Identity
from plumbline.ledger import Ledger, Record
from plumbline.recovery import Situation, StateLockedError

SUPERVISOR = Identity("plumbline", 1, 1.0)
KAFKA = Identity("kafka", 2, 2.0)
BOOKING = Identity("booking", 3, 3.0)


@pytest.mark.parametrize(
    ("record", "alive", "situation"),
    [
        (Record(), set(), Situation.CLEAN),
        (Record(SUPERVISOR), {SUPERVISOR}, Situation.RUNNING),
        (Record(SUPERVISOR, processes=(KAFKA,)), {SUPERVISOR}, Situation.RUNNING),
        (Record(SUPERVISOR), set(), Situation.LEFTOVERS),
        (Record(SUPERVISOR, processes=(KAFKA, BOOKING)), {KAFKA, BOOKING}, Situation.LEFTOVERS),
        (Record(detached=True, processes=(KAFKA, BOOKING)), {KAFKA, BOOKING}, Situation.RUNNING),
        (Record(detached=True, processes=(KAFKA, BOOKING)), {KAFKA}, Situation.LEFTOVERS),
        (Record(detached=True, processes=(KAFKA, BOOKING)), set(), Situation.LEFTOVERS),
        (Record(processes=(KAFKA,)), {KAFKA}, Situation.LEFTOVERS),
    ],
)
def test_situation_follows_from_record_and_what_is_alive(
    record: Record, alive: set[Identity], situation: Situation
) -> None:
    assert recovery.classify(record, alive.__contains__) is situation


def test_ledger_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "processes.json")
    ledger.begin(SUPERVISOR)
    ledger.add(KAFKA)
    ledger.add(BOOKING)
    ledger.remove(BOOKING)

    assert Ledger(tmp_path / "processes.json").record == Record(SUPERVISOR, processes=(KAFKA,))

    ledger.detach()
    assert Ledger(tmp_path / "processes.json").record == Record(detached=True, processes=(KAFKA,))


def test_closing_a_ledger_keeps_what_could_not_be_ended(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "processes.json")
    ledger.begin(SUPERVISOR)
    ledger.add(KAFKA)

    ledger.close()
    assert Ledger(tmp_path / "processes.json").record.processes == (KAFKA,)

    ledger.remove(KAFKA)
    ledger.close()
    assert Ledger(tmp_path / "processes.json").record == Record()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"processes": []}', '{"supervisor": 1}'])
def test_unreadable_ledger_is_explained(tmp_path: Path, content: str) -> None:
    (tmp_path / "processes.json").write_text(content)

    with pytest.raises(StackError, match=r"processes\.json cannot be read"):
        Ledger(tmp_path / "processes.json")


def test_state_held_by_another_command_is_refused(tmp_path: Path) -> None:
    with (
        recovery.exclusive(tmp_path / "lock"),
        pytest.raises(StateLockedError, match="is using"),
        recovery.exclusive(tmp_path / "lock"),
    ):
        pass


def test_state_of_a_killed_command_is_free_again(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib, signal; from plumbline import recovery\n"
        "with recovery.exclusive(pathlib.Path(sys.argv[1])): print('held', flush=True); signal.pause()"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "lock")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(StateLockedError), recovery.exclusive(tmp_path / "lock"):
            pass
        holder.kill()

    with recovery.exclusive(tmp_path / "lock"):
        pass
