"""Rules of entries, compared with the contracts and with the list of personal data."""

import re

import pytest

from audit.consumers import TOPIC_PATTERN
from audit.domain.facts import RULES
from contracts.catalogue import MESSAGES, MessageCard
from contracts.topics import TOPICS, TopicCard

FREE_TEXT = {"explanation", "title", "path", "remote_address", "header_names", "lines"}
"""Members that people or outsiders write; none may stand in an entry, which is kept for ever."""


@pytest.mark.parametrize("card", MESSAGES, ids=lambda card: card.event_type)
def test_rule_of_every_message_names_members_of_its_contract(card: MessageCard) -> None:
    rule = RULES[card.event_type]
    members = {name for name in (rule.actor, rule.error, *rule.metadata) if name}
    assert members <= card.model.model_fields.keys()


def test_rule_exists_for_nothing_but_messages() -> None:
    assert RULES.keys() == {card.event_type for card in MESSAGES}


def test_free_text_and_addresses_are_copied_by_no_rule() -> None:
    copied = {name for rule in RULES.values() for name in (rule.actor, *rule.metadata)}
    digests = {name for name in copied if name and "sha256" in name}
    assert not (copied & FREE_TEXT)
    assert not digests, "an unsalted digest lets anybody test a guess, also after the erasure"
    assert "reason" not in {name for rule in RULES.values() for name in rule.metadata}


def test_dead_letter_tells_the_reason_and_not_the_error_text() -> None:
    assert RULES["dead-letter.set-aside"].error == "reason"


@pytest.mark.parametrize("card", TOPICS, ids=lambda card: card.name)
def test_topic_is_consumed_exactly_if_its_card_says_so(card: TopicCard) -> None:
    assert bool(re.fullmatch(TOPIC_PATTERN, card.name)) == ("audit" in card.consumers)


def test_topic_of_a_further_webhook_source_is_consumed() -> None:
    assert re.fullmatch(TOPIC_PATTERN, "webhooks.github.v1")
    assert not re.fullmatch(TOPIC_PATTERN, "audit.checkpoints.v1")
