"""Fill the search index: put entries into blocks once none can come between them any more (decision 0055)."""

from audit.adapters import entry_blocks
from audit.adapters.entry_blocks import NewBlock
from audit.domain.blocks import BLOCK_ENTRIES, SettledEntries, block_lexemes
from chassis.postgres import Database

BLOCKS_PER_TRANSACTION = 8


async def newest_settled_entry(database: Database, settled: SettledEntries) -> int:
    """Return a number up to which every entry is committed or will never be."""
    async with database.connection() as connection:
        newest = await entry_blocks.newest_entry(connection)
        # After the number: a writer whose number is smaller has its lock by now, or has ended.
        return settled.update(newest, await entry_blocks.open_writers(connection))


async def fill_blocks(database: Database, *, until: int) -> bool:
    """Insert the next full blocks, in one transaction. Return whether more of them may follow.

    Inserts nothing while another process does it.

    Args:
        database: of audit.
        until: the last entry that may be put into a block.
    """
    async with database.transaction() as connection:
        if not await entry_blocks.try_lock(connection):
            return False
        entries = await entry_blocks.texts(
            connection,
            after=await entry_blocks.frontier(connection),
            until=until,
            rows_max=BLOCKS_PER_TRANSACTION * BLOCK_ENTRIES,
        )
        blocks: list[NewBlock] = []
        for start in range(0, len(entries) - BLOCK_ENTRIES + 1, BLOCK_ENTRIES):
            numbers, texts = zip(*entries[start : start + BLOCK_ENTRIES], strict=True)
            blocks.append(NewBlock(numbers[0], numbers[-1], block_lexemes(texts)))
        await entry_blocks.insert(connection, blocks)
    return len(blocks) == BLOCKS_PER_TRANSACTION


async def count_unindexed(database: Database) -> int:
    """Return the number of numbers given to entries behind the last block."""
    async with database.connection() as connection:
        return await entry_blocks.newest_entry(connection) - await entry_blocks.frontier(connection)
