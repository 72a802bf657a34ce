"""Which sender may say what on which topic (ALL-7): the topic cards are the rule, asked here alone.

Whoever may write to one topic must not speak for everybody: a record that claims another sender would take
the place of a genuine event in an inbox, in the EventLog or in a history. Consumers ask before any of that.
"""

from contracts.catalogue import MESSAGES
from contracts.metadata import VERIFICATION_HEADER, Headers, MessageMetadata
from contracts.topics import card_of

_HOME = {card.event_type: card.topic.name for card in MESSAGES}


def misplacement(topic: str, metadata: MessageMetadata, headers: Headers) -> str:
    """Return why this is not the event that it claims to be, without a word of the record; else "".

    Types that no catalogue knows yet are taken by their first part, so that a newer producer stops nobody.

    Args:
        topic: name as on its card; of a topic without a card nothing is known and nothing refused.
        metadata: read from `headers`.
        headers: of the record.
    """
    card = card_of(topic)
    if card is None:
        return ""
    if metadata.source not in card.sources:
        return "ce_source names a sender that does not write to this topic"
    if not metadata.type.startswith(card.type_prefixes):
        return "ce_type names an event that does not stand on this topic"
    if _HOME.get(metadata.type, topic) != topic:
        return "ce_type names an event of another topic"
    if card.verifications and dict(headers).get(VERIFICATION_HEADER, b"") not in card.verifications:
        return f"unverified: {VERIFICATION_HEADER} is missing, or not one that this topic takes"
    return ""
