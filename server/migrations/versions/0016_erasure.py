"""What was erased, as ids: so that it stays erased when an older backup is restored."""

from typing import Final

from alembic import op

revision = "0016"
down_revision = "0007"
branch_labels = None
depends_on = None

_WORDS: Final = {
    "postgresql": {"id": "UUID", "big": "BIGINT"},
    "sqlite": {"id": "TEXT", "big": "INTEGER"},
}
_TABLE: Final = """CREATE TABLE erasure (
  record_id {id} NOT NULL,
  kind TEXT NOT NULL,
  grid_id {id},
  reason TEXT NOT NULL,
  erased_ms {big} NOT NULL,
  CONSTRAINT pk_erasure PRIMARY KEY (record_id),
  CONSTRAINT ck_erasure_reason CHECK (
    reason IN ('person_asked', 'no_longer_needed', 'entered_wrongly', 'law')
  ),
  CONSTRAINT ck_erasure_erased CHECK (erased_ms >= 0)
)"""


def upgrade() -> None:
    db = op.get_bind()
    db.exec_driver_sql(_TABLE.format(**_WORDS[db.dialect.name]))


def downgrade() -> None:
    op.get_bind().exec_driver_sql("DROP TABLE erasure")
