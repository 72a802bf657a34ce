"""The gateway's decisions: bytes, headers and a clock reading in, verdicts out. No I/O, no clock."""
