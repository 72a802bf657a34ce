"""Test infrastructure: real servers, real service processes and clients for both (see README.md)."""

from harness.databases import TestDatabase
from harness.deliveries import Deliver
from harness.infra import Infra, Server, down
from harness.processes import Finished, Running
from harness.stack import Stack, start_services
from harness.topics import Record, TestTopic
from harness.waiting import eventually

__all__ = [
    "Deliver",
    "Finished",
    "Infra",
    "Record",
    "Running",
    "Server",
    "Stack",
    "TestDatabase",
    "TestTopic",
    "down",
    "eventually",
    "start_services",
]
