"""Who broke the glass, why and until when, and which entries of the access log came of it."""

from typing import Final

from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None

_WORDS: Final = {
    "postgresql": {"id": "UUID", "big": "BIGINT"},
    "sqlite": {"id": "TEXT", "big": "INTEGER"},
}
_UP: Final = (
    """CREATE TABLE break_glass (
  id {id} NOT NULL,
  account_id {id} NOT NULL,
  area_id {id},
  record_id {id},
  reason TEXT NOT NULL,
  at_ms {big} NOT NULL,
  until_ms {big} NOT NULL,
  reviewed_ms {big},
  reviewed_by {id},
  verdict TEXT,
  note TEXT,
  CONSTRAINT pk_break_glass PRIMARY KEY (id),
  CONSTRAINT ck_break_glass_named CHECK ((area_id IS NULL) <> (record_id IS NULL)),
  CONSTRAINT ck_break_glass_until CHECK (at_ms < until_ms AND until_ms <= at_ms + 10800000),
  CONSTRAINT ck_break_glass_reviewed CHECK ((reviewed_ms IS NULL) = (reviewed_by IS NULL)),
  CONSTRAINT ck_break_glass_other CHECK (reviewed_by IS NULL OR reviewed_by <> account_id),
  CONSTRAINT ck_break_glass_verdict CHECK (verdict IN ('justified', 'unjustified'))
)""",
    "CREATE INDEX ix_break_glass_account_id_until_ms ON break_glass (account_id, until_ms)",
    """CREATE INDEX ix_break_glass_unreviewed ON break_glass (until_ms)
  WHERE reviewed_ms IS NULL""",
    "ALTER TABLE access_entry ADD COLUMN grant_id {id}",
    """CREATE INDEX ix_access_entry_granted ON access_entry (grant_id, id)
  WHERE grant_id IS NOT NULL""",
)
_DOWN: Final = (
    "DROP INDEX ix_access_entry_granted",
    "ALTER TABLE access_entry DROP COLUMN grant_id",
    "DROP TABLE break_glass",
)


def upgrade() -> None:
    db = op.get_bind()
    for statement in _UP:
        db.exec_driver_sql(statement.format(**_WORDS[db.dialect.name]))


def downgrade() -> None:
    for statement in _DOWN:
        op.get_bind().exec_driver_sql(statement)
