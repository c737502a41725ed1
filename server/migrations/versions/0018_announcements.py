"""Announcements: what an office tells everybody below an area, until a date."""

from typing import Final

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_WORDS: Final = {
    "postgresql": {"id": "UUID", "big": "BIGINT"},
    "sqlite": {"id": "TEXT", "big": "INTEGER"},
}
_TABLE: Final = """CREATE TABLE announcement (
  id {id} NOT NULL,
  rev {big} NOT NULL,
  grid_id {id},
  area_no {big} NOT NULL,
  archived BOOLEAN NOT NULL,
  created_ms {big} NOT NULL,
  updated_ms {big} NOT NULL,
  area_id {id} NOT NULL,
  title TEXT NOT NULL,
  text TEXT NOT NULL,
  valid_until_ms {big} NOT NULL,
  CONSTRAINT pk_announcement PRIMARY KEY (id),
  CONSTRAINT ck_announcement_rev CHECK (rev >= 1)
)"""
_INDEX: Final = "CREATE INDEX ix_announcement_{column} ON announcement ({column})"


def upgrade() -> None:
    db = op.get_bind()
    db.exec_driver_sql(_TABLE.format(**_WORDS[db.dialect.name]))
    for column in ("area_no", "area_id", "valid_until_ms"):
        db.exec_driver_sql(_INDEX.format(column=column))


def downgrade() -> None:
    op.get_bind().exec_driver_sql("DROP TABLE announcement")
