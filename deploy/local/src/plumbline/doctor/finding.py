"""What a check found."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, and if `problem` is not empty, what is wrong and what to do.

    Attributes:
        subject: what was looked at.
        problem: what is wrong and what to do; empty if nothing is.
        note: what a good line adds, such as a number.
    """

    subject: str
    problem: str = ""
    note: str = ""

    @property
    def good(self) -> bool:
        """Whether all is well."""
        return not self.problem

    @property
    def line(self) -> str:
        """For people."""
        if self.problem:
            return f"WRONG  {self.subject}: {self.problem}"
        return f"ok     {self.subject}" + (f": {self.note}" if self.note else "")


CheckFunction = Callable[[], Awaitable[list[Finding]]]
"""One check; it opens its own connections."""
