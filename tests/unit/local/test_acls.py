"""The shipped ACLs are those of the topic cards and grant no service more (ALL-7)."""

from pathlib import Path

from contracts.topics import TOPICS, webhook_topic
from plumbline.acls import SERVICES, acl_lines

SHIPPED = Path(__file__).parents[3] / "deploy" / "kafka" / "acls.sh"


def test_shipped_commands_are_those_of_the_cards() -> None:
    lines = SHIPPED.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith("kafka-acls.sh")] == acl_lines(TOPICS), (
        "write deploy/kafka/acls.sh anew with `plumbline topics acls`"
    )


def test_nobody_but_its_producers_may_write_to_a_topic() -> None:
    cards = (*TOPICS, webhook_topic("acme"))
    lines = acl_lines(cards, prefix="p.")
    for card in cards:
        granted = [line for line in lines if line.endswith(f" p.{card.name}") and "Write" in line]
        writers = {service for service in SERVICES for line in granted if f"User:{service} " in line}
        assert writers == set(card.producers), card.name
    assert all(" p." in line for line in lines), "every grant carries the prefix"
    assert not any(word in line for line in lines for word in ("--cluster", "transactional", "*", "All"))
    groups = [line.rpartition(" ")[2] for line in lines if "--group" in line and "operation Read" in line]
    assert groups == ["p.booking", "p.audit", "p.reconciler"]
