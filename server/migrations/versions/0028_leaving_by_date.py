"""What phones hold for a time only is found by kind, to leave them when it has been over."""

from alembic import op

revision = "0028"
down_revision = "0040"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.get_bind().exec_driver_sql(
        "CREATE INDEX ix_record_fed_for_a_time ON record (kind, bucket, id)"
        " WHERE seq > 0 AND kind IN ('announcement', 'incident', 'task', 'visit')"
    )


def downgrade() -> None:
    op.get_bind().exec_driver_sql("DROP INDEX ix_record_fed_for_a_time")
