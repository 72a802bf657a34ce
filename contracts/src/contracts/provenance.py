"""The permitted sources, types and verifications of each topic (ALL-7), by the topic cards.

A writer of one topic must not write for other senders: a record with a false source would take the place of
a genuine event in an inbox, in the EventLog or in a history. Consumers check every record first.
"""

from contracts.catalogue import MESSAGES
from contracts.metadata import VERIFICATION_HEADER, Headers, MessageMetadata
from contracts.topics import card_of

_TOPIC_BY_TYPE = {card.event_type: card.topic.name for card in MESSAGES}


def misplacement(topic: str, metadata: MessageMetadata, headers: Headers) -> str:
    """Return the reason why a record does not belong on its topic, without text from the record; else "".

    A type outside of the catalogue is checked by its first part, so that a newer producer can add types.

    Args:
        topic: name on its card; a topic without a card is not checked.
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
    if _TOPIC_BY_TYPE.get(metadata.type, topic) != topic:
        return "ce_type names an event of another topic"
    if card.verifications and dict(headers).get(VERIFICATION_HEADER, b"") not in card.verifications:
        return f"unverified: {VERIFICATION_HEADER} is missing, or not one that this topic takes"
    return ""
