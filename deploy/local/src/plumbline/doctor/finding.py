"""The result of a check."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check of one subject, printed as one line.

    Attributes:
        subject: the checked server, role, table or other thing.
        problem: what is wrong and what to do; empty if nothing is wrong.
        note: an addition to the line of a good finding, such as a number.
    """

    subject: str
    problem: str = ""
    note: str = ""

    @property
    def good(self) -> bool:
        return not self.problem

    @property
    def line(self) -> str:
        """Return the finding as one line for people."""
        if self.problem:
            return f"WRONG  {self.subject}: {self.problem}"
        return f"ok     {self.subject}" + (f": {self.note}" if self.note else "")


CheckFunction = Callable[[], Awaitable[list[Finding]]]
"""A check, which opens its own connections."""
