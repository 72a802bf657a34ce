"""The command line `plumbline`.

Exit codes (interface.md): 0 success, 1 the answer is "no", 2 the command could not do its work.
"""

import chassis.process.quiet_interrupt  # noqa: F401  # pyright: ignore[reportUnusedImport] - for Ctrl-C

import asyncio
import json
import logging
import os
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console

from chassis.auth.identity import Role
from chassis.cli import add_help_and_version, run_cli
from chassis.process.command_line import EXIT_NO
from chassis.process.tables import print_parts
from plumbline import deployment, restart, state_directory, status
from plumbline import token as tokens
from plumbline import up as stack_command
from plumbline.acls import acl_lines
from plumbline.demo.command import demo
from plumbline.doctor import checks, report, target
from plumbline.events import add_events
from plumbline.running import add_running

_HELP = """Run all of Plumbline on one machine: Kafka, PostgreSQL and the four services.

Start with "plumbline demo": the command plays a business day on a fresh stack and shows the result.
"plumbline up" starts all components, shows their status, and stops them on Ctrl-C.

$PLUMBLINE_STATE (default: var) holds data, logs and stack.json (addresses, passwords, webhook secrets).
Ports start at $PLUMBLINE_PORT_BASE (default: 8080): gateway, booking, audit and reconciler from +0,
Kafka at +10, PostgreSQL at +11, Kafka's quorum at +12.
The services receive other variables, e.g. ENABLE_WEBHOOK_VALIDATION=true.

Exit codes: 0 success, 1 the answer is "no" (not ready, problem found), 2 the command could not do its work.
"""

cli = typer.Typer(
    name="plumbline", help=_HELP, no_args_is_help=True, add_completion=False, rich_markup_mode=None
)
topics = typer.Typer(help="Topics of a Kafka cluster, from the topic cards.", no_args_is_help=True)
databases = typer.Typer(help="Databases and roles of a PostgreSQL server.", no_args_is_help=True)
cli.add_typer(topics, name="topics")
cli.add_typer(databases, name="databases")
add_help_and_version(cli)
add_running(cli)
add_events(cli)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


@cli.command()
def up(
    detach: Annotated[
        bool, typer.Option("--detach", help="Return when all components are ready; stop them with `down`.")
    ] = False,
) -> None:
    """Start all components. With `--detach`, exit with 0 also if the stack is already running and ready."""
    directory, console = state_directory.from_environment(os.environ), Console()
    try:
        success = asyncio.run(stack_command.up(directory, detach=detach, environ=os.environ, console=console))
    except stack_command.AlreadyRunningError:
        if not (detach and status.is_ready(asyncio.run(status.component_statuses(directory)))):
            raise
        asyncio.run(_take_over_settings(directory, console))
        success = True
    if detach:
        ready = f"ready; addresses and secrets are in {directory.stack_file}"
        print_parts(ready, *status.protection_lines(directory, {}))
    raise typer.Exit(0 if success else EXIT_NO)


async def _take_over_settings(directory: state_directory.StateDirectory, console: Console) -> None:
    """Restart the services that this shell's variables would start otherwise, and name what differs."""
    changed = restart.changed_settings(directory, os.environ)
    for name, differences in changed.items():
        text = "; ".join(difference.line for difference in differences)
        console.print(f"restarting {name}: {text}", markup=False, highlight=False)
    if changed:
        await restart.restart(directory, list(changed), environ=os.environ)


@cli.command()
def down() -> None:
    """Stop all processes started from this state directory, also after a crash. Data are kept."""
    stopped = asyncio.run(stack_command.down(state_directory.from_environment(os.environ)))
    typer.echo("stopped; data are kept" if stopped else "nothing was running")


@cli.command(name="status")
def show_status(as_json: AsJson = False) -> None:
    """Show state, address and memory of each component. Exit with 1 if a component is not ready."""
    directory = state_directory.from_environment(os.environ)
    components = asyncio.run(status.component_statuses(directory))
    if as_json:
        typer.echo(json.dumps([component.as_json() for component in components], indent=2))
    elif components:
        print_parts(
            status.table(components),
            f"state directory: {directory.path}",
            *status.lines_of_the_gone(components),
            *status.protection_lines(directory, {}),
        )
    else:
        print_parts(
            f"nothing runs from the state directory {directory.path}; start the stack with `plumbline up`"
        )
    raise typer.Exit(0 if status.is_ready(components) else EXIT_NO)


@cli.command()
def doctor(as_json: AsJson = False) -> None:
    """Check broker, topics, roles, grants, migrations, the append-only property and the services.

    The target is the running stack of this state directory. Without a running stack, the target is the
    deployment named by KAFKA_BOOTSTRAP, POSTGRES_ADMIN_DSN and the services' connection strings.
    Exit with 1 if a check fails.
    """
    directory = state_directory.from_environment(os.environ)
    findings = asyncio.run(checks.run_checks(target.find(directory, os.environ)))
    if as_json:
        typer.echo(json.dumps([asdict(finding) | {"good": finding.good} for finding in findings], indent=2))
    else:
        console = Console(highlight=False)
        further = [*status.protection_lines(directory, os.environ), *report.path_lines(findings)]
        for line in report.report_lines(findings, further):
            console.print(line, soft_wrap=True)
    raise typer.Exit(0 if all(finding.good for finding in findings) else EXIT_NO)


@cli.command()
def token(
    sub: Annotated[str, typer.Option(help="Subject of the token: histories record it as the actor.")],
    role: Annotated[
        list[Role], typer.Option(help="Role of the subject; repeat the option for several roles.")
    ],
    minutes: Annotated[int, typer.Option(min=1, max=24 * 60, help="Lifetime of the token in minutes.")] = 60,
) -> None:
    """Print a token that the services accept. Reads AUTH_MODE=jwt, AUTH_JWT_KEY and related AUTH_* variables.

    For development only: a person with the shared key can issue a token for any subject and role.
    """
    typer.echo(tokens.issue_token(sub, role, minutes=minutes))


@cli.command(name="demo")
def play_demo(
    *, keep: Annotated[bool, typer.Option("--keep", help="Leave the day's stack running.")] = False
) -> None:
    """Play a business day on a fresh stack, show and check the result. Exit with 1 if the result is wrong.

    The day has about 40 bookings and signed Stripe events and messages; some are forged or stale. Then the
    demo falsifies a few stored prices and reconciles. A stack that is already running is not changed.
    """
    raise typer.Exit(0 if asyncio.run(demo(os.environ, Console(), keep=keep)) else EXIT_NO)


@topics.command(name="apply")
def apply_topics(
    replication_factor: Annotated[int, typer.Option(help="Replicas of each partition; 3 in production.")] = 1,
) -> None:
    """Create missing topics, including one topic for each source of WEBHOOK_SOURCES_FILE.

    Reads KAFKA_BOOTSTRAP, KAFKA_SECURITY_PROTOCOL, the related KAFKA_* variables and TOPIC_PREFIX. Without
    KAFKA_BOOTSTRAP, the topics are created in the running stack of this state directory.
    """
    kafka = target.kafka_of(state_directory.from_environment(os.environ), os.environ)
    created = asyncio.run(deployment.apply_topics(kafka, replication_factor))
    typer.echo(f"created {', '.join(created)}" if created else "all topics exist")


@topics.command(name="acls")
def show_acls() -> None:
    """Print the commands that grant each service access to its topics and its consumer group only.

    Reads TOPIC_PREFIX and WEBHOOK_SOURCES_FILE. See deploy/kafka/README.md.
    """
    cards = deployment.topics(os.environ)
    typer.echo("\n".join(acl_lines(cards, prefix=os.environ.get("TOPIC_PREFIX", ""))))


@databases.command(name="apply")
def apply_databases() -> None:
    """Create or update roles, databases and schemas; safe to repeat.

    Reads POSTGRES_ADMIN_DSN (a superuser). Passwords and database names come from BOOKING_POSTGRES_DSN,
    AUDIT_POSTGRES_DSN, RECONCILER_POSTGRES_DSN and RECONCILER_BOOKING_VIEW_DSN.
    """
    typer.echo(f"up to date: {', '.join(asyncio.run(deployment.apply_databases(os.environ)))}")


def main() -> None:
    """Run a command; a `StackError` is one line on standard error and exit code 2."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # the StackError has the same text
    run_cli(cli, name="plumbline", failures=["plumbline.failure:StackError"])


if __name__ == "__main__":
    main()
