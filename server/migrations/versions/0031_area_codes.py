"""The codes and names that areas had before."""

from typing import Final

from alembic import op

revision = "0031"
down_revision = "0038"
branch_labels = None
depends_on = None

_WORDS: Final = {
    "postgresql": {"id": "UUID", "big": "BIGINT"},
    "sqlite": {"id": "TEXT", "big": "INTEGER"},
}
_CODE: Final = """CREATE TABLE area_code (
  area_id {id} NOT NULL,
  valid_to_ms {big} NOT NULL,
  valid_from_ms {big},
  code TEXT NOT NULL,
  name TEXT NOT NULL,
  CONSTRAINT pk_area_code PRIMARY KEY (area_id, valid_to_ms),
  CONSTRAINT ck_area_code_period CHECK (valid_from_ms IS NULL OR valid_to_ms > valid_from_ms)
)"""


def upgrade() -> None:
    db = op.get_bind()
    db.exec_driver_sql(_CODE.format(**_WORDS[db.dialect.name]))
    db.exec_driver_sql("CREATE INDEX ix_area_code_code ON area_code (code)")


def downgrade() -> None:
    op.get_bind().exec_driver_sql("DROP TABLE area_code")
