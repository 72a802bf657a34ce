"""Contracts between services: topic cards, message metadata and message models. Pure data.

Start at `topics` (the topics), then `catalogue` (the messages on each).
"""
