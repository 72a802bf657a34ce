"""Kafka: connection, producer, topics, consumer groups."""
