"""Alembic's entry point: it is always given a connection (see ``manager.migrate``)."""

from alembic import context

from manager.models import Base

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Base.metadata, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
