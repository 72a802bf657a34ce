"""`plumbline token`: a token for a developer, made with the shared key of the environment."""

from collections.abc import Sequence

from chassis import clock
from chassis.auth.identity import Role
from chassis.auth.issuing import CannotIssueError, issue
from chassis.process.environment import SettingsError, load_settings
from chassis.settings import ServiceSettings
from plumbline.failure import StackError


class _TokenSettings(ServiceSettings):
    """Only the AUTH_* variables are of use here."""

    kafka_bootstrap: str = ""


def issue_token(subject: str, roles: Sequence[Role], *, minutes: int) -> str:
    """A token that services with this environment accept; `StackError` where there can be none."""
    try:
        settings = load_settings(_TokenSettings)
        return issue(settings, subject=subject, roles=roles, now=clock.now(), minutes=minutes)
    except (SettingsError, CannotIssueError) as error:
        raise StackError(str(error)) from error
