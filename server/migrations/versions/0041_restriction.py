"""For which requests nobody may use what is held about people."""

from alembic import op

revision = "0041"
down_revision = "0035"
branch_labels = None
depends_on = None

_TABLES = ("household", "resident", "visit", "note")


def upgrade() -> None:
    db = op.get_bind()
    db.exec_driver_sql("ALTER TABLE record ADD COLUMN restricted TEXT")
    for table in _TABLES:
        db.exec_driver_sql(f"ALTER TABLE {table} ADD COLUMN restricted TEXT")
        db.exec_driver_sql(
            f"CREATE INDEX ix_{table}_restricted ON {table} (id) WHERE restricted IS NOT NULL"
        )


def downgrade() -> None:
    db = op.get_bind()
    db.exec_driver_sql("ALTER TABLE record DROP COLUMN restricted")
    for table in _TABLES:
        db.exec_driver_sql(f"DROP INDEX ix_{table}_restricted")
        db.exec_driver_sql(f"ALTER TABLE {table} DROP COLUMN restricted")
