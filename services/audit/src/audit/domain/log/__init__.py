"""The sealed log: canonical form, Merkle tree, tiles, notes, checkpoints.

Read in this order: `canonical` (entry → bytes), `tree` (bytes → root), `tiles` (how others read the tree),
`keys` and `notes` (signatures), `checkpoints` (a signed root), `policies` (which signatures are enough),
`witness_requests` and `witness_answers` (how a witness is asked), `evidence` and `evidence_checks` (a file
about one booking). Nothing here reads a clock, a file or a database.
"""
