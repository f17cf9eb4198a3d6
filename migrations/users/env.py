"""Run the migrations of the users database on the connection that the caller hands over.

There is no ini file and no offline mode. The caller begins and ends the transaction.
"""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
