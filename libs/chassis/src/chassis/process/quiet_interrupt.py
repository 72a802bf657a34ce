"""Ctrl-C while modules are imported ends the process without a traceback, as by the signal itself (130).

`__main__` imports this module first (section `hooks` in the root `pyproject.toml`), and it imports little
itself. Inside a command typer does the same.
"""

import sys
from types import TracebackType


def _hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)


sys.excepthook = _hook
