"""All checks, in the order in which things depend on each other."""

import asyncio
from functools import partial

from chassis.process.terminal import in_one_line
from plumbline import databases, dsn
from plumbline.doctor import (
    clocks,
    door,
    entrances,
    flow,
    grants,
    groups,
    histories,
    losses,
    outside,
    public_rights,
)
from plumbline.doctor.finding import Finding, Look
from plumbline.doctor.patient import Patient
from plumbline.failure import StackError

LOOK_SECONDS_MAX = 12.0
"""Looks are taken side by side, so the whole takes no longer, whatever does not answer."""

_KAFKA = "KAFKA_BOOTSTRAP and what belongs to it"
_URLS = "the services' *_URL"


async def examine(patient: Patient) -> list[Finding]:
    """Look at everything; a part that is away is a finding, never the end of the examination."""
    own = dsn.service_variable
    looks: list[tuple[str, str, Look]] = [
        ("kafka", _KAFKA, partial(outside.broker, patient)),
        ("consumer groups", _KAFKA, partial(groups.groups, patient)),
        ("roles", dsn.ADMIN_VARIABLE, partial(entrances.roles, patient)),
        ("rights of everybody", dsn.ADMIN_VARIABLE, partial(public_rights.server, patient)),
        *(
            (f"database of {service}", f"{own(service)} and {dsn.ADMIN_VARIABLE}", _of(patient, service))
            for service in databases.SERVICES
        ),
        ("messages lost to retention", own("audit"), partial(losses.losses, patient)),
        ("published view", dsn.VIEWER_VARIABLE, partial(entrances.viewer, patient)),
        ("barrier", dsn.VIEWER_VARIABLE, partial(public_rights.barrier, patient)),
        ("clocks", f"{dsn.ADMIN_VARIABLE} and {_URLS}", partial(clocks.clocks, patient)),
        ("services", _URLS, partial(outside.services, patient)),
        ("gateway", _URLS, partial(door.door, patient)),
    ]
    found = await asyncio.gather(*(_bounded(*look) for look in looks))
    return [finding for findings in found for finding in findings]


def _of(patient: Patient, service: str) -> Look:
    return partial(_service, patient, service)


async def _service(patient: Patient, service: str) -> list[Finding]:
    """One after the other: the trials of the append-only tables take locks on them."""
    return [
        *await entrances.entrances(patient, service),
        *await public_rights.functions(patient, service),
        *await histories.migrations(patient, service),
        *await grants.grants(patient, service),
        *await histories.append_only(patient, service),
        *await flow.flow(patient, service),
    ]


async def _bounded(subject: str, variables: str, look: Look) -> list[Finding]:
    try:
        async with asyncio.timeout(LOOK_SECONDS_MAX):
            return await look()
    except TimeoutError:
        return [Finding(subject, f"gave no answer within {LOOK_SECONDS_MAX:g} s: is it overloaded or away?")]
    except StackError as error:
        return [Finding(subject, str(error))]
    except Exception as error:  # noqa: BLE001 - one look's surprise must not keep the others
        problem = (
            f"could not be checked: {in_one_line(error)}; look at {variables}, and at what answers there"
        )
        return [Finding(subject, problem)]
