"""The log: events, commands, commits, epochs, and views to read them with plain SQL.

Rowid tables with explicit numbers as primary keys: an append goes to the right end of each tree. Never AUTOINCREMENT
(the writer alone numbers), never clustered by stream (measured five times slower).
"""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = (
    """
    CREATE TABLE meta (
        key TEXT NOT NULL PRIMARY KEY,
        value TEXT NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE stream (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE
    ) STRICT
    """,
    """
    CREATE TABLE event_type (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE
    ) STRICT
    """,
    """
    CREATE TABLE event (
        log_seq INTEGER PRIMARY KEY,
        stream_id INTEGER NOT NULL,
        stream_version INTEGER NOT NULL,
        type_id INTEGER NOT NULL,
        version INTEGER NOT NULL,
        payload BLOB NOT NULL,
        leaf BLOB NOT NULL
    ) STRICT
    """,
    # The first event's number is the key: it finds the command of any event without an index to keep up.
    """
    CREATE TABLE command (
        first_log_seq INTEGER PRIMARY KEY,
        command_seq INTEGER NOT NULL,
        event_count INTEGER NOT NULL,
        at_ns INTEGER NOT NULL,
        type TEXT NOT NULL,
        version INTEGER NOT NULL,
        actor TEXT NOT NULL,
        client_id TEXT NOT NULL,
        origin TEXT NOT NULL,
        body BLOB NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE "commit" (
        last_log_seq INTEGER PRIMARY KEY,
        last_command_seq INTEGER NOT NULL,
        at_ns INTEGER NOT NULL,
        epoch INTEGER NOT NULL,
        root BLOB NOT NULL,
        state_hash BLOB,
        seal BLOB NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE epoch (
        number INTEGER PRIMARY KEY,
        after_log_seq INTEGER NOT NULL,
        seal BLOB NOT NULL
    ) STRICT
    """,
)

GUARDED_TABLES = ("meta", "stream", "event_type", "event", "command", "commit", "epoch")
"""All of them. REPLACE goes around the guards where recursive_triggers is off; verifying finds it."""

VIEWS = (
    """
    CREATE VIEW event_view AS
    SELECT
        event.log_seq,
        strftime('%Y-%m-%dT%H:%M:%S', command.at_ns / 1000000000, 'unixepoch')
            || printf('.%09dZ', command.at_ns % 1000000000) AS at,
        command.command_seq,
        stream.name AS stream,
        event.stream_version,
        event_type.name AS type,
        event.version,
        CAST(event.payload AS TEXT) AS payload,
        lower(hex(event.leaf)) AS leaf
    FROM event
    JOIN stream ON stream.id = event.stream_id
    JOIN event_type ON event_type.id = event.type_id
    JOIN command ON command.first_log_seq
        = (SELECT max(own.first_log_seq) FROM command AS own WHERE own.first_log_seq <= event.log_seq)
    """,
    """
    CREATE VIEW command_view AS
    SELECT
        command_seq,
        strftime('%Y-%m-%dT%H:%M:%S', at_ns / 1000000000, 'unixepoch') || printf('.%09dZ', at_ns % 1000000000) AS at,
        type,
        version,
        actor,
        client_id,
        origin,
        first_log_seq,
        first_log_seq + event_count - 1 AS last_log_seq,
        CAST(body AS TEXT) AS body
    FROM command
    """,
    """
    CREATE VIEW commit_view AS
    SELECT
        last_log_seq,
        last_command_seq,
        strftime('%Y-%m-%dT%H:%M:%S', at_ns / 1000000000, 'unixepoch') || printf('.%09dZ', at_ns % 1000000000) AS at,
        epoch,
        lower(hex(root)) AS root,
        nullif(lower(hex(state_hash)), '') AS state_hash
    FROM "commit"
    """,
)


def upgrade() -> None:
    for statement in TABLES + VIEWS:
        op.execute(statement)
    for table in GUARDED_TABLES:
        for action in ("UPDATE", "DELETE"):
            op.execute(
                f'CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON "{table}" '
                f"BEGIN SELECT RAISE(ABORT, 'the log is append-only: {action} on {table} is refused'); END"
            )


def downgrade() -> None:
    raise NotImplementedError("a log is never taken back to an older schema: restore a backup")
