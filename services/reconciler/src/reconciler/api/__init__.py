"""HTTP edge of the reconciler (REC-10): exceptions, bulk operations, runs and sweeps."""
