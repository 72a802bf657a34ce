"""What the gateway does: take a delivery, and keep a record of those it did not take."""
