"""`plumbline token`: a developer's token, signed with the shared key of the environment."""

from collections.abc import Sequence

from chassis import clock
from chassis.auth.identity import Role
from chassis.auth.issuing import CannotIssueError, issue
from chassis.process.environment import SettingsError, load_settings
from chassis.settings import ServiceSettings
from plumbline.failure import StackError


class _TokenSettings(ServiceSettings):
    """Settings of which only the AUTH_* variables are used."""

    kafka_bootstrap: str = ""


def issue_token(subject: str, roles: Sequence[Role], *, minutes: int) -> str:
    """Return a token that services with this environment accept; `StackError` if none can be issued."""
    try:
        settings = load_settings(_TokenSettings)
        return issue(settings, subject=subject, roles=roles, now=clock.now(), minutes=minutes)
    except (SettingsError, CannotIssueError) as error:
        raise StackError(str(error)) from error
