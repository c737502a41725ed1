"""Pairs of records of which a person said that they are not the same."""

from typing import Final

from alembic import op

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

_WORDS: Final = {
    "postgresql": {"id": "UUID", "big": "BIGINT"},
    "sqlite": {"id": "TEXT", "big": "INTEGER"},
}
_TABLE: Final = """CREATE TABLE not_same (
  first_id {id} NOT NULL,
  second_id {id} NOT NULL,
  kind TEXT NOT NULL,
  by_id {id} NOT NULL,
  at_ms {big} NOT NULL,
  CONSTRAINT pk_not_same PRIMARY KEY (first_id, second_id),
  CONSTRAINT ck_not_same_kind CHECK (kind IN ('household', 'resident')),
  CONSTRAINT ck_not_same_order CHECK (first_id < second_id)
)"""


def upgrade() -> None:
    db = op.get_bind()
    db.exec_driver_sql(_TABLE.format(**_WORDS[db.dialect.name]))


def downgrade() -> None:
    op.get_bind().exec_driver_sql("DROP TABLE not_same")
