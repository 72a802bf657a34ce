"""Operator actions on dead letters, written once in `actions`; `cli` and `routes` call them."""
