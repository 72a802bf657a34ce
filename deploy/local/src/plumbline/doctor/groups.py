"""Check the consumer groups: each has members, and each partition with unread messages progresses."""

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
"""A partition with unread messages must progress within this time. A batch takes less."""


async def groups(target: Target) -> list[Finding]:
    """Return one finding per consuming service. A group with lag is watched for `WATCH_SECONDS`."""
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
            problem = f"has no members, {before.lag} messages wait: start {service} and see its log"
            return Finding(subject, problem)
        if before.lag == 0:
            return Finding(subject, note=f"{before.members} members, no messages wait")
        await asyncio.sleep(WATCH_SECONDS)
        after = await read_group(target.kafka, group, topics)
    except BrokerUnavailableError as error:
        return Finding(subject, f"could not be checked: {error}; see the finding for kafka")
    return Finding(subject, *_progress(service, before, after))


def _expired(service: str, state: GroupState) -> str:
    # A running service reports the loss in the EventLog as well, but only when it reads on.
    ranges = [f"{topic}[{n}] {first} to {last}" for (topic, n), (first, last) in state.expired.items()]
    return (
        f"has lost unread records to retention, offsets {', '.join(sorted(ranges))}:"
        f" start {service}, then follow deploy/runbooks/messages-lost.md"
    )


def _progress(service: str, before: GroupState, after: GroupState) -> tuple[str, str]:
    """Return problem and note of the finding."""
    stuck = sorted(
        partition
        for partition, position in before.positions.items()
        if before.ends[partition] > position
        and after.positions.get(partition) == position
        and partition not in before.new
    )
    if not stuck:
        unknown = {topic for topic, _ in before.new & after.new if after.lag}
        soon = f"; {service} looks for new topics every 30 s: {', '.join(sorted(unknown))}" if unknown else ""
        return "", f"{after.members} members, {after.lag} messages wait and are being read{soon}"
    where = ", ".join(f"{topic}[{number}]" for topic, number in stuck)
    if after.held_back.issuperset(stuck):
        return (
            f"is blocked by an open transaction on {where}: find its producer with"
            " `kafka-transactions.sh find-hanging`, then end it with `kafka-transactions.sh abort`"
        ), ""
    return (
        f"makes no progress with {after.lag} messages waiting on {where}: see /health/ready of {service}",
        "",
    )
