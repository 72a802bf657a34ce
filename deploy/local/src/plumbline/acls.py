"""Kafka ACLs of a deployment: one `kafka-acls.sh` command per grant, from the topic cards (ALL-7)."""

from collections.abc import Iterator, Sequence

from contracts.topics import TopicCard

SERVICES = ("webhook-gateway", "booking", "audit", "reconciler")
"""A service's Kafka principal is `User:<service>`."""

OPERATOR = "operator"
"""Principal that runs `plumbline topics apply` and `plumbline doctor`."""

_TOOL = 'kafka-acls.sh --bootstrap-server "$KAFKA_BOOTSTRAP" --command-config "$KAFKA_ADMIN_CONFIG" --add'


def acl_lines(cards: Sequence[TopicCard], *, prefix: str = "") -> list[str]:
    """Return the commands that grant each service exactly the rights that follow from the topic cards.

    Args:
        cards: every topic of the deployment.
        prefix: TOPIC_PREFIX of topics and consumer groups.
    """
    # No service needs a transactional id, idempotent writes or a right on the cluster.
    return [line for service in SERVICES for line in _of_service(service, cards, prefix)] + [
        *_of_operator(cards, prefix)
    ]


def _of_service(service: str, cards: Sequence[TopicCard], prefix: str) -> Iterator[str]:
    for card in cards:
        if service in card.producers:
            yield _grant(service, ("Write", "Describe"), "topic", prefix + card.name)
    for card in cards:
        if service in card.consumers:
            yield _grant(service, ("Read", "Describe"), "topic", prefix + card.name)
    if any(service in card.consumers for card in cards):
        yield _grant(service, ("Read",), "group", prefix + service)


def _of_operator(cards: Sequence[TopicCard], prefix: str) -> Iterator[str]:
    for card in cards:
        yield _grant(OPERATOR, ("Create", "Describe", "DescribeConfigs"), "topic", prefix + card.name)
    for service in SERVICES:
        if any(service in card.consumers for card in cards):
            yield _grant(OPERATOR, ("Describe",), "group", prefix + service)


def _grant(principal: str, operations: Sequence[str], kind: str, name: str) -> str:
    granted = " ".join(f"--operation {operation}" for operation in operations)
    return f"{_TOOL} --allow-principal User:{principal} {granted} --{kind} {name}"
