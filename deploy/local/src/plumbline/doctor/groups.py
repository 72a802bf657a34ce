"""Checks of consumer groups: somebody is there, and what waits gets less."""

import asyncio
import os
from collections.abc import Sequence

from chassis.kafka.errors import BrokerUnavailableError
from chassis.kafka.groups import GroupState, read_group
from contracts.topics import TopicCard
from plumbline import databases, deployment
from plumbline.doctor.finding import Finding
from plumbline.doctor.target import Target

WATCH_SECONDS = 5.0
"""So long a partition with unread messages may stand still: longer than a batch in hand takes."""


async def groups(target: Target) -> list[Finding]:
    """One line per service that consumes; only one that lags is watched for a while."""
    cards = deployment.topics(os.environ)
    return list(await asyncio.gather(*(_group(target, service, cards) for service in databases.SERVICES)))


async def _group(target: Target, service: str, cards: Sequence[TopicCard]) -> Finding:
    group = f"{target.kafka.topic_prefix}{service}"
    subject = f"consumer group {group}"
    topics = [card.name for card in cards if service in card.consumers]
    try:
        before = await read_group(target.kafka, group, topics)
        if before.expired:
            return Finding(subject, _expired(service, before))
        if before.members == 0:
            problem = f"has no members, {before.lag} messages wait: start {service}, see its log"
            return Finding(subject, problem)
        if before.lag == 0:
            return Finding(subject, note=f"{before.members} members, nothing waits")
        await asyncio.sleep(WATCH_SECONDS)
        after = await read_group(target.kafka, group, topics)
    except BrokerUnavailableError as error:
        return Finding(subject, f"could not be checked: {error}; see what the line of kafka says")
    return Finding(subject, *_progress(service, before, after))


def _expired(service: str, state: GroupState) -> str:
    """The running service reports it too, in the EventLog; here it is seen before the service reads on."""
    ranges = [f"{topic}[{n}] {first} to {last}" for (topic, n), (first, last) in state.expired.items()]
    return (
        f"has lost records to retention before it read them, offsets of {', '.join(sorted(ranges))}:"
        f" start {service}, then deploy/runbooks/messages-lost.md"
    )


def _progress(service: str, before: GroupState, after: GroupState) -> tuple[str, str]:
    """Problem and note."""
    stuck = sorted(
        partition
        for partition, position in before.positions.items()
        if before.ends[partition] > position and after.positions.get(partition) == position
    )
    if not stuck:
        return "", f"{after.members} members, {after.lag} messages wait and move"
    where = ", ".join(f"{topic}[{number}]" for topic, number in stuck)
    if after.held_back.issuperset(stuck):
        return (
            f"waits behind an open transaction on {where}: find its producer with"
            " `kafka-transactions.sh find-hanging`, and end it with `kafka-transactions.sh abort`"
        ), ""
    return f"stands still with {after.lag} messages waiting on {where}: see /health/ready of {service}", ""
