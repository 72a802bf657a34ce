"""The command line `plumbline`.

Exit codes (interface.md): 0 good, 1 the answer is "no", 2 could not do it.
"""

import asyncio
import json
import logging
import os
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console

from chassis.auth.identity import Role
from chassis.cli import run_cli
from chassis.process.command_line import EXIT_NO
from chassis.process.terminal import printable
from plumbline import deployment, state_directory, status
from plumbline import token as tokens
from plumbline import up as stack_command
from plumbline.acls import acl_lines
from plumbline.demo.command import demo, demo_console
from plumbline.doctor import checks, target
from plumbline.failure import StackError

_HELP = """The whole of Plumbline on one machine: a real Kafka, a real PostgreSQL and the four services.

Begin with "plumbline demo": it plays a business day on a fresh stack and shows what became of it.
"plumbline up" starts everything, shows how it is, and stops it on Ctrl-C.

Data, logs and stack.json (addresses, passwords, webhook secrets) stand in $PLUMBLINE_STATE (default: var).
Ports begin at $PLUMBLINE_PORT_BASE (default: 8080): gateway, booking, audit and reconciler from +0 on,
Kafka at +10, PostgreSQL at +11, Kafka's quorum at +12.
Other variables, e.g. ENABLE_WEBHOOK_VALIDATION=true, reach the services.

Exit codes: 0 good, 1 the answer is "no" (not ready, something wrong), 2 could not do it.
"""

cli = typer.Typer(
    name="plumbline", help=_HELP, no_args_is_help=True, add_completion=False, rich_markup_mode=None
)
topics = typer.Typer(help="The topics of a Kafka, from their cards.", no_args_is_help=True)
databases = typer.Typer(help="The databases and roles of a PostgreSQL.", no_args_is_help=True)
cli.add_typer(topics, name="topics")
cli.add_typer(databases, name="databases")

AsJson = Annotated[bool, typer.Option("--json", help="Print data for programs instead of a table.")]


@cli.command()
def up(
    detach: Annotated[
        bool, typer.Option("--detach", help="Return as soon as everything is ready; stop it with `down`.")
    ] = False,
) -> None:
    """Start everything. Exits with 0 also where `--detach` finds a stack that runs and is ready."""
    directory, console = state_directory.from_environment(os.environ), Console()
    try:
        good = asyncio.run(stack_command.up(directory, detach=detach, environ=os.environ, console=console))
    except stack_command.AlreadyRunningError:
        if not (detach and status.is_ready(asyncio.run(status.component_statuses(directory)))):
            raise
        good = True
    if detach:
        console.print(f"ready; addresses and secrets stand in {directory.stack_file}", highlight=False)
    raise typer.Exit(0 if good else EXIT_NO)


@cli.command()
def down() -> None:
    """Stop everything that was started from this state directory, also after a crash. Data are kept."""
    stopped = asyncio.run(stack_command.down(state_directory.from_environment(os.environ)))
    typer.echo("stopped; data are kept" if stopped else "nothing was running")


@cli.command(name="status")
def show_status(as_json: AsJson = False) -> None:
    """Show every part: ready or not, where, and how much memory. Exits with 1 if not all are ready."""
    parts = asyncio.run(status.component_statuses(state_directory.from_environment(os.environ)))
    if as_json:
        typer.echo(json.dumps([part.as_json() for part in parts], indent=2))
    elif parts:
        Console().print(status.table(parts))
    else:
        typer.echo("nothing is running; start it with `plumbline up`")
    raise typer.Exit(0 if status.is_ready(parts) else EXIT_NO)


@cli.command()
def doctor(as_json: AsJson = False) -> None:
    """Check broker, topics, roles, grants, migrations, the append-only property and the services.

    Looks at the stack of this state directory; without one, at the deployment that KAFKA_BOOTSTRAP,
    POSTGRES_ADMIN_DSN and the services' connection strings name. Exits with 1 if anything is wrong.
    """
    found = asyncio.run(
        checks.run_checks(target.find(state_directory.from_environment(os.environ), os.environ))
    )
    if as_json:
        typer.echo(json.dumps([asdict(finding) | {"good": finding.good} for finding in found], indent=2))
    else:
        typer.echo("\n".join(printable(finding.line) for finding in found))
    raise typer.Exit(0 if all(finding.good for finding in found) else EXIT_NO)


@cli.command()
def token(
    sub: Annotated[str, typer.Option(help="Who bears it: stands in every history as who did something.")],
    role: Annotated[list[Role], typer.Option(help="What he may do; may be given several times.")],
    minutes: Annotated[int, typer.Option(min=1, max=24 * 60, help="How long it is good.")] = 60,
) -> None:
    """Print a token that the services accept. Reads AUTH_MODE=jwt, AUTH_JWT_KEY and what belongs to them.

    For development: whoever has the shared key can be anybody.
    """
    typer.echo(tokens.issue_token(sub, role, minutes=minutes))


@cli.command(name="demo")
def play_demo() -> None:
    """Play a business day on a fresh stack, show and check what became of it. Exits with 1 if it is wrong.

    About 40 bookings, signed Stripe events and messages, forged and stale ones among them, then a few stored
    prices are falsified and reconciled. A stack that runs already is left alone.
    """
    raise typer.Exit(0 if asyncio.run(demo(os.environ, demo_console())) else EXIT_NO)


@topics.command(name="apply")
def apply_topics(
    replication_factor: Annotated[int, typer.Option(help="Copies of each partition; 3 in production.")] = 1,
) -> None:
    """Create the topics that are missing, one for each source of WEBHOOK_SOURCES_FILE among them.

    Reads KAFKA_BOOTSTRAP, KAFKA_SECURITY_PROTOCOL and what belongs to it, and TOPIC_PREFIX. Without
    KAFKA_BOOTSTRAP the stack of this state directory gets them.
    """
    kafka = target.kafka_of(state_directory.from_environment(os.environ), os.environ)
    created = asyncio.run(deployment.apply_topics(kafka, replication_factor))
    typer.echo(f"created {', '.join(created)}" if created else "all topics exist")


@topics.command(name="acls")
def show_acls() -> None:
    """Print the commands that grant each service its topics and its consumer group, and nothing else.

    Reads TOPIC_PREFIX and WEBHOOK_SOURCES_FILE. See deploy/kafka/README.md.
    """
    cards = deployment.topics(os.environ)
    typer.echo("\n".join(acl_lines(cards, prefix=os.environ.get("TOPIC_PREFIX", ""))))


@databases.command(name="apply")
def apply_databases() -> None:
    """Make roles, databases and schemas, or bring them in line; safe to repeat.

    Reads POSTGRES_ADMIN_DSN (a superuser) and BOOKING_POSTGRES_DSN, AUDIT_POSTGRES_DSN,
    RECONCILER_POSTGRES_DSN and RECONCILER_BOOKING_VIEW_DSN, whose passwords and database names it takes.
    """
    typer.echo(f"in line: {', '.join(asyncio.run(deployment.apply_databases(os.environ)))}")


def main() -> None:
    """Run a command; what it could not do is one line on standard error and exit code 2."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what it says stands in our one line too
    run_cli(cli, name="plumbline", failures=[StackError])


if __name__ == "__main__":
    main()
