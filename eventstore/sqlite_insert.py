"""Insert many rows with few statements.

Every statement that SQLite runs hands the GIL over and waits to get it back. `executemany` does so per row, which
costs a third to half of the throughput beside a busy loop; one statement for many rows does so once.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from itertools import chain

_ROWS_MAX_LOG2 = 9
"""512 rows a statement: more did not get faster, and ten columns stay far below SQLite's limit of 32766 parameters."""


class RowInsert:
    """Inserts rows of `columns` values into a table, in statements of 512, 256, ... 1 rows.

    With powers of two the same ten texts serve every batch, so the connection's statement cache always hits.
    """

    def __init__(self, table: str, columns: int) -> None:
        row = f"({','.join('?' * columns)})"
        self._statements = [f"INSERT INTO {table} VALUES {','.join([row] * 2**k)}" for k in range(_ROWS_MAX_LOG2 + 1)]

    def run(self, connection: sqlite3.Connection, rows: Sequence[tuple[object, ...]]) -> None:
        """Insert the rows in order."""
        done = 0
        while done < len(rows):
            log2 = min(_ROWS_MAX_LOG2, (len(rows) - done).bit_length() - 1)
            end = done + 2**log2
            connection.execute(self._statements[log2], list(chain.from_iterable(rows[done:end])))
            done = end
