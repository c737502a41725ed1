"""Which record stands for one that was merged into it."""

from typing import Final

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_WORDS: Final = {
    "postgresql": {"id": "UUID", "big": "BIGINT"},
    "sqlite": {"id": "TEXT", "big": "INTEGER"},
}
_UP: Final = (
    """CREATE TABLE alias (
  record_id {id} NOT NULL,
  kind TEXT NOT NULL,
  into_id {id} NOT NULL,
  merged_ms {big} NOT NULL,
  CONSTRAINT pk_alias PRIMARY KEY (record_id),
  CONSTRAINT ck_alias_into CHECK (into_id <> record_id),
  CONSTRAINT ck_alias_merged CHECK (merged_ms >= 0)
)""",
    "CREATE INDEX ix_alias_into_id ON alias (into_id)",
    "ALTER TABLE bucket_exit ADD COLUMN merged_into {id}",
    "ALTER TABLE mutation ADD COLUMN ended_at {id}",
)
_DOWN: Final = (
    "ALTER TABLE mutation DROP COLUMN ended_at",
    "ALTER TABLE bucket_exit DROP COLUMN merged_into",
    "DROP TABLE alias",
)


def upgrade() -> None:
    db = op.get_bind()
    for statement in _UP:
        db.exec_driver_sql(statement.format(**_WORDS[db.dialect.name]))


def downgrade() -> None:
    for statement in _DOWN:
        op.get_bind().exec_driver_sql(statement)
