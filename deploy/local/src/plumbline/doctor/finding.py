"""What a check found."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, and if `problem` is not empty, what is wrong and what to do."""

    subject: str
    problem: str = ""

    @property
    def good(self) -> bool:
        """Whether all is well."""
        return not self.problem

    @property
    def line(self) -> str:
        """For people."""
        return f"ok     {self.subject}" if self.good else f"WRONG  {self.subject}: {self.problem}"
