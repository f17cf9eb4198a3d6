"""Run the log's migrations on the connection the caller hands over; there is no ini file and no offline mode.

The caller begins and ends the transaction, so that a migration happens whole or not at all. Batch mode stays off for
good: it copies tables and silently drops the triggers that guard the log.
"""

from alembic import context

context.configure(connection=context.config.attributes["connection"], render_as_batch=False)
context.run_migrations()
