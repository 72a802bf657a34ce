"""Kafka: connection, producer, topics, consumer groups."""

from chassis.kafka.connection import KafkaConnection

__all__ = ["KafkaConnection"]
