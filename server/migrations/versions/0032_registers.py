"""Registers: what was taken out of the registry, by whom, what for, and until when."""

from typing import Final

from alembic import op

revision = "0032"
down_revision = "0037"
branch_labels = None
depends_on = None

_WORDS: Final = {
    "postgresql": {"id": "UUID", "big": "BIGINT"},
    "sqlite": {"id": "TEXT", "big": "INTEGER"},
}
_STATEMENTS: Final = (
    """CREATE TABLE household_register (
  id {id} NOT NULL,
  account_id {id} NOT NULL,
  purpose TEXT NOT NULL,
  columns TEXT NOT NULL,
  area_id {id},
  rows {big} NOT NULL,
  made_ms {big} NOT NULL,
  expires_ms {big} NOT NULL,
  CONSTRAINT pk_household_register PRIMARY KEY (id),
  CONSTRAINT ck_household_register_purpose
    CHECK (purpose IN ('visits', 'registry', 'service')),
  CONSTRAINT ck_household_register_expires CHECK (expires_ms > made_ms)
)""",
    """CREATE INDEX ix_household_register_account_id_id
  ON household_register (account_id, id)""",
    "CREATE INDEX ix_household_register_expires_ms ON household_register (expires_ms)",
)


def upgrade() -> None:
    db = op.get_bind()
    for statement in _STATEMENTS:
        db.exec_driver_sql(statement.format(**_WORDS[db.dialect.name]))


def downgrade() -> None:
    op.get_bind().exec_driver_sql("DROP TABLE household_register")
