"""The sealed log: canonical form, Merkle tree, tiles, notes, checkpoints.

Read in this order: `canonical` (entry → bytes), `tree` (bytes → root), `tiles` (how others read the tree),
`keys` and `notes` (signatures), `checkpoints` (a signed root). Nothing here reads a clock, a file or a
database.
"""
