"""What a phone last said of its replica, and how much of its work could never count."""

from typing import Final

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_BIG: Final = {"postgresql": "BIGINT", "sqlite": "INTEGER"}
_COUNTED: Final = """
UPDATE device SET invalid = (
  SELECT count(*) FROM mutation m WHERE m.device_id = device.id AND m.outcome = 'invalid'
)
"""


def upgrade() -> None:
    db = op.get_bind()
    big = _BIG[db.dialect.name]
    db.exec_driver_sql("ALTER TABLE device ADD COLUMN said TEXT")
    db.exec_driver_sql(f"ALTER TABLE device ADD COLUMN invalid {big} NOT NULL DEFAULT 0")
    db.exec_driver_sql(_COUNTED)


def downgrade() -> None:
    db = op.get_bind()
    for column in ("said", "invalid"):
        db.exec_driver_sql(f"ALTER TABLE device DROP COLUMN {column}")
