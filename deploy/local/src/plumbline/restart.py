"""Restart services of a running stack: as they were started, or with the caller's settings."""

from collections.abc import Mapping, Sequence

from plumbline import credentials, environment, identity, recovery, stack_file, started_with
from plumbline.failure import StackError
from plumbline.ledger import Ledger
from plumbline.processes import STOP_SECONDS_MAX
from plumbline.service_process import ServiceProcess
from plumbline.services import SERVICES, Service
from plumbline.started_with import Difference
from plumbline.state_directory import StateDirectory

NOTHING_RUNS = "nothing is running; start the stack with `plumbline up`"


def changed_settings(
    directory: StateDirectory, environ: Mapping[str, str], members: Sequence[Service] = SERVICES
) -> dict[str, list[Difference]]:
    """Return what would be other for each running service if it were started with the caller's variables."""
    content = stack_file.read(directory.stack_file)
    if content is None:
        raise StackError(NOTHING_RUNS)
    before = started_with.read(directory.environments)
    now = environment.of_services(members, _merged(directory, environ, content, members))
    return {
        name: changed
        for name in content["urls"]
        if name in now and (changed := started_with.differences(before.get(name, {}), now[name]))
    }


def _merged(
    directory: StateDirectory,
    environ: Mapping[str, str],
    content: stack_file.Content,
    members: Sequence[Service],
) -> dict[str, str]:
    """Return the variables of all services together, as a start by this caller would give them."""
    admin_dsn, secrets = content["postgres"]["admin_dsn"], credentials.load(directory.credentials)
    return environment.of_stack(directory, environ, admin_dsn, secrets, members)


async def restart(
    directory: StateDirectory,
    names: Sequence[str],
    *,
    environ: Mapping[str, str] | None = None,
    members: Sequence[Service] = SERVICES,
) -> None:
    """Restart services of a detached stack, one after another, each until it is ready.

    Args:
        directory: of the running stack.
        names: of services.
        environ: variables of the caller; None keeps those with which each service was started.
        members: the services of the stack.

    Raises:
        StackError: nothing runs, the stack has a supervisor, or a service does not become ready again.
    """
    content = stack_file.read(directory.stack_file)
    if content is None:
        raise StackError(NOTHING_RUNS)
    with recovery.exclusive(directory.lock):
        ledger = Ledger(directory.ledger)
        before = started_with.read(directory.environments)
        merged = None if environ is None else _merged(directory, environ, content, members)
        now = before if merged is None else environment.of_services(members, merged)
        for service in members:
            if service.name in names:
                await _end(ledger, service.name)
                process = await _start(directory, service, now[service.name], ledger)
                content["pids"][service.name] = process.pid
                before[service.name] = now[service.name]
                started_with.write(directory.environments, before)
                stack_file.write(directory.stack_file, content)
        if merged is not None:
            content |= stack_file.of_environment(merged, content["postgres"]["admin_dsn"])
            stack_file.write(directory.stack_file, content)


async def _end(ledger: Ledger, name: str) -> None:
    for process in ledger.record.processes:
        if process.name == name:
            await identity.end(process, stop_seconds_max=STOP_SECONDS_MAX)
            ledger.remove(process)


async def _start(
    directory: StateDirectory, service: Service, environ: Mapping[str, str], ledger: Ledger
) -> ServiceProcess:
    process = ServiceProcess(
        service.name,
        service.command("serve"),
        environ,
        directory.log(service.name),
        f"{service.url(directory)}/health/ready",
        ledger=ledger,
    )
    await process.start()
    return process
