"""Reconciler: every stored price is compared with a fresh computation and with what was charged."""
