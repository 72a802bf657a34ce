"""The door: verifies webhook signatures, publishes to Kafka, answers 200 only after the broker's ack."""
