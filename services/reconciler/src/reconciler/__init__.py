"""Reconciler: compares every stored price with a recomputed price and the charged amount."""
