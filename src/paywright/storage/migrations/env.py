"""Alembic's entry: runs the migrations on the connection that `paywright.storage.migrate` hands in."""

from alembic import context

from paywright.storage.schema import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    transactional_ddl=True,
    compare_type=False,
)
context.run_migrations()
