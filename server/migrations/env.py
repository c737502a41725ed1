"""Alembic's entry: migrations run on the connection and in the transaction they are given."""

from typing import Any

from alembic import context

from server.db.tables import METADATA
from server.migrations.comparison import compare_types, include_object


def _run(connection: Any) -> None:
    context.configure(
        connection=connection,
        target_metadata=METADATA,
        transactional_ddl=True,
        compare_type=compare_types,
        include_object=include_object,
    )
    context.run_migrations()


_run(context.config.attributes["connection"])
