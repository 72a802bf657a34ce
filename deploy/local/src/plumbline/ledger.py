"""The ledger of a state directory: every process that was started from the directory.

A process is written to the ledger right after its start. `down` and the next `up` end exactly the processes
in the ledger, also if the command that started them has crashed.
"""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from plumbline import atomic
from plumbline.failure import StackError
from plumbline.identity import Identity


@dataclass(frozen=True, slots=True)
class Record:
    """The ledger's content. `detached`: the start is complete and the processes have no supervisor."""

    supervisor: Identity | None = None
    detached: bool = False
    processes: tuple[Identity, ...] = ()


class Ledger:
    """The file `processes.json` of a state directory."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._record = self._read()

    @property
    def record(self) -> Record:
        return self._record

    def begin(self, supervisor: Identity) -> None:
        """Record a new start by `supervisor`; all previous processes must have ended."""
        self._write(Record(supervisor=supervisor))

    def add(self, process: Identity) -> None:
        self._write(replace(self._record, processes=(*self._record.processes, process)))

    def remove(self, process: Identity) -> None:
        remaining = tuple(other for other in self._record.processes if other != process)
        self._write(replace(self._record, processes=remaining))

    def detach(self) -> None:
        """Record that the start is complete and the processes continue without a supervisor."""
        self._write(replace(self._record, supervisor=None, detached=True))

    def close(self) -> None:
        """Clear the ledger unless processes are left that could not be ended; the next start ends them."""
        if not self._record.processes:
            self.clear()

    def clear(self) -> None:
        self._record = Record()
        self._path.unlink(missing_ok=True)

    def _write(self, record: Record) -> None:
        self._record = record
        atomic.write_text(self._path, json.dumps(asdict(record), indent=1), mode=atomic.PRIVATE)

    def _read(self) -> Record:
        try:
            content = json.loads(self._path.read_text(encoding="utf-8"))
            supervisor = content["supervisor"] and Identity(**content["supervisor"])
            processes = tuple(Identity(**process) for process in content["processes"])
            return Record(supervisor, content["detached"], processes)
        except FileNotFoundError:
            return Record()
        except (ValueError, KeyError, TypeError) as error:
            raise StackError(
                f"{self._path} cannot be read ({error}): end the processes it names by hand, then remove it"
            ) from error
