"""What crosses a wire: topic cards, message metadata and message models. Pure data.

Start at `topics` (which topics there are), then `catalogue` (which messages travel on them).
"""
