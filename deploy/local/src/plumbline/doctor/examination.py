"""All checks, in the order in which things depend on each other."""

import asyncio
from functools import partial

from plumbline import databases
from plumbline.doctor import clocks, door, entrances, flow, grants, groups, histories, outside
from plumbline.doctor.finding import Finding, Look
from plumbline.doctor.patient import Patient

LOOK_SECONDS_MAX = 12.0
"""Looks are taken side by side, so the whole takes no longer, whatever does not answer."""


async def examine(patient: Patient) -> list[Finding]:
    """Look at everything; a part that is away is a finding, never the end of the examination."""
    looks: list[tuple[str, Look]] = [
        ("kafka", partial(outside.broker, patient)),
        ("consumer groups", partial(groups.groups, patient)),
        ("roles", partial(entrances.roles, patient)),
        *((f"database of {service}", partial(_service, patient, service)) for service in databases.SERVICES),
        ("published view", partial(entrances.viewer, patient)),
        ("clocks", partial(clocks.clocks, patient)),
        ("services", partial(outside.services, patient)),
        ("gateway", partial(door.door, patient)),
    ]
    found = await asyncio.gather(*(_bounded(subject, look) for subject, look in looks))
    return [finding for findings in found for finding in findings]


async def _service(patient: Patient, service: str) -> list[Finding]:
    """One after the other: the trials of the append-only tables take locks on them."""
    return [
        *await entrances.entrances(patient, service),
        *await histories.migrations(patient, service),
        *await grants.grants(patient, service),
        *await histories.append_only(patient, service),
        *await flow.flow(patient, service),
    ]


async def _bounded(subject: str, look: Look) -> list[Finding]:
    try:
        async with asyncio.timeout(LOOK_SECONDS_MAX):
            return await look()
    except TimeoutError:
        return [Finding(subject, f"gave no answer within {LOOK_SECONDS_MAX:g} s: is it overloaded or away?")]
