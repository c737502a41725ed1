"""Whether a record was put away, beside every typed row."""

from typing import Final

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_TABLES: Final = (
    "grid",
    "dwelling",
    "household",
    "resident",
    "visit",
    "event_class",
    "report",
    "incident",
    "task",
    "note",
    "claim",
)


def upgrade() -> None:
    db = op.get_bind()
    for table in _TABLES:
        db.exec_driver_sql(
            f"ALTER TABLE {table} ADD COLUMN archived BOOLEAN NOT NULL DEFAULT FALSE"
        )


def downgrade() -> None:
    db = op.get_bind()
    for table in _TABLES:
        db.exec_driver_sql(f"ALTER TABLE {table} DROP COLUMN archived")
