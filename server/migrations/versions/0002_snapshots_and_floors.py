"""When a record left a bucket, in which epoch its numbering began, and stored snapshots."""

from typing import Final

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_NOW: Final = {
    "postgresql": "CAST(extract(epoch FROM now()) * 1000 AS BIGINT)",
    "sqlite": "CAST(strftime('%s', 'now') AS INTEGER) * 1000",
}
_WORDS: Final = {
    "postgresql": {"big": "BIGINT", "bytes": "BYTEA"},
    "sqlite": {"big": "INTEGER", "bytes": "BLOB"},
}
_STATEMENTS: Final = (
    "ALTER TABLE bucket ADD COLUMN first_epoch {big} NOT NULL DEFAULT 1",
    "ALTER TABLE bucket_exit ADD COLUMN left_ms {big} NOT NULL DEFAULT 0",
    "CREATE INDEX ix_bucket_exit_left_ms ON bucket_exit (left_ms)",
    """CREATE TABLE snapshot (
  bucket TEXT NOT NULL,
  epoch {big} NOT NULL,
  seq {big} NOT NULL,
  coding TEXT NOT NULL,
  etag TEXT NOT NULL,
  size {big} NOT NULL,
  made_ms {big} NOT NULL,
  body {bytes} NOT NULL,
  CONSTRAINT pk_snapshot PRIMARY KEY (bucket, epoch, seq, coding),
  CONSTRAINT ck_snapshot_coding CHECK (coding IN ('gzip', 'zstd')),
  CONSTRAINT ck_snapshot_seq CHECK (epoch >= 1 AND seq >= 1),
  CONSTRAINT ck_snapshot_size CHECK (size >= 1)
)""",
    "CREATE INDEX ix_snapshot_made_ms ON snapshot (made_ms)",
)


def upgrade() -> None:
    db = op.get_bind()
    words = _WORDS[db.dialect.name]
    for statement in _STATEMENTS:
        db.exec_driver_sql(statement.format(**words))
    # What left before nobody noted when: the retention of those rows begins now.
    db.exec_driver_sql(f"UPDATE bucket_exit SET left_ms = {_NOW[db.dialect.name]}")  # noqa: S608


def downgrade() -> None:
    db = op.get_bind()
    db.exec_driver_sql("DROP TABLE snapshot")
    db.exec_driver_sql("DROP INDEX ix_bucket_exit_left_ms")
    db.exec_driver_sql("ALTER TABLE bucket_exit DROP COLUMN left_ms")
    db.exec_driver_sql("ALTER TABLE bucket DROP COLUMN first_epoch")
