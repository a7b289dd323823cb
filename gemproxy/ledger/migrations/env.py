"""Alembic's environment: migrates through the connection that it is given.

The transaction is the caller's, so a migration that fails leaves nothing behind, and the caller has
the lock that keeps other processes waiting.
"""

from alembic import context

from gemproxy.ledger.schema import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    version_table=VERSION_TABLE,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
