"""The findings of a run as lines for people: what is wrong stands last, where the eye is."""

from collections.abc import Iterator, Sequence

from rich.text import Text

from chassis.process.terminal import printable
from plumbline import own_commands
from plumbline.doctor.finding import Finding

_GOOD, _WRONG = "green", "bold red"


def report_lines(findings: Sequence[Finding], further: Sequence[str] = ()) -> Iterator[Text]:
    """Yield the good findings, what the services check, the wrong findings, and the sum.

    Args:
        findings: of all checks.
        further: lines that are neither good nor wrong, such as whether tokens are checked.
    """
    wrong = [finding for finding in findings if not finding.good]
    for finding in findings:
        if finding.good:
            yield _styled(finding, _GOOD)
    for line in further:
        yield Text(printable(line))
    for finding in wrong:
        yield _styled(finding, _WRONG)
    yield Text(summary(len(findings), len(wrong)), style=_WRONG if wrong else _GOOD)


def path_lines(findings: Sequence[Finding]) -> list[str]:
    """Return how the shell finds the advised commands, if one is advised that it would not find."""
    is_advised = any("`plumbline" in each.problem or "`python -m" in each.problem for each in findings)
    if not is_advised or own_commands.missing_folder() is None:
        return []
    return [f'to run what is advised below: eval "$({own_commands.plumbline()} env)"']


def summary(checks: int, wrong: int) -> str:
    """Return the sum of a run."""
    return f"{checks} {'check' if checks == 1 else 'checks'}, {wrong or 'none'} wrong"


def _styled(finding: Finding, style: str) -> Text:
    line = Text(printable(finding.line))
    line.stylize(style, 0, line.plain.find(" "))
    return line
